//! Rounds: everything that is compared takes its turn in each of them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::count;

/// Runs something so many times, the part that counts inside of the second argument.
type Run<'a> = Box<dyn FnMut(u32, &mut dyn FnMut(&mut dyn FnMut())) + 'a>;

/// One of those that are compared.
pub struct Contender<'a> {
    name: String,
    run: Run<'a>,
}

impl<'a> Contender<'a> {
    pub fn new<T>(name: impl Into<String>, mut work: impl FnMut() -> T + 'a) -> Contender<'a> {
        let run = move |times: u32, counted: &mut dyn FnMut(&mut dyn FnMut())| {
            counted(&mut || {
                for _ in 0..times {
                    black_box(work());
                }
            });
        };
        Contender { name: name.into(), run: Box::new(run) }
    }

    /// The same for work that uses up what it is given; preparing that does not count.
    pub fn consuming<I, T>(
        name: impl Into<String>,
        mut prepare: impl FnMut() -> I + 'a,
        mut work: impl FnMut(I) -> T + 'a,
    ) -> Contender<'a> {
        let run = move |times: u32, counted: &mut dyn FnMut(&mut dyn FnMut())| {
            let mut left = times;
            while left > 0 {
                // Few at a time, so that they stay in the processor's cache.
                let mut prepared: Vec<I> = (0..left.min(32)).map(|_| prepare()).collect();
                left -= left.min(32);
                counted(&mut || {
                    for input in prepared.drain(..) {
                        black_box(work(input));
                    }
                });
            }
        };
        Contender { name: name.into(), run: Box::new(run) }
    }

    fn time(&mut self, times: u32) -> Duration {
        let mut took = Duration::ZERO;
        (self.run)(times, &mut |work| {
            let began = Instant::now();
            work();
            took += began.elapsed();
        });
        took
    }

    fn allocations(&mut self) -> (u64, u64) {
        let mut sum = (0, 0);
        (self.run)(1, &mut |work| {
            let (calls, bytes) = count::during(work);
            sum = (sum.0 + calls, sum.1 + bytes);
        });
        sum
    }

    /// How many times take about `turn`.
    fn calibrate(&mut self, turn: Duration) -> u32 {
        let mut times = 1;
        loop {
            let took = self.time(times);
            if took >= turn / 4 || times >= 1 << 24 {
                let fitting = f64::from(times) * turn.as_secs_f64() / took.as_secs_f64();
                return (fitting as u32).max(1);
            }
            times *= 2;
        }
    }
}

/// What was measured of one contender: nanoseconds, the least and the greatest of the rounds.
pub struct Measured {
    pub name: String,
    pub median: f64,
    pub least: f64,
    pub greatest: f64,
    pub allocations: u64,
    pub bytes: u64,
}

/// Measures them side by side: in each round everyone has one turn, and each round begins with another.
pub fn rounds(mut contenders: Vec<Contender<'_>>, rounds: usize, turn: Duration) -> Vec<Measured> {
    let times: Vec<u32> = contenders.iter_mut().map(|contender| contender.calibrate(turn)).collect();
    let mut taken: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        for index in 0..contenders.len() {
            let turn = (round + index) % contenders.len();
            let took = contenders[turn].time(times[turn]);
            taken[turn].push(took.as_secs_f64() * 1e9 / f64::from(times[turn]));
        }
    }
    let mut measured = Vec::new();
    for (mut contender, mut taken) in contenders.into_iter().zip(taken) {
        taken.sort_by(f64::total_cmp);
        let (allocations, bytes) = contender.allocations();
        measured.push(Measured {
            median: taken[taken.len() / 2],
            least: taken[0],
            greatest: taken[taken.len() - 1],
            name: contender.name,
            allocations,
            bytes,
        });
    }
    measured
}
