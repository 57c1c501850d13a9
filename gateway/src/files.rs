//! The files of the program: what it writes is for its owner alone, what it reads are plain files.
//!
//! Names and numbers are in the ledger, in exports and in packs, and whoever can open a lock can hold up
//! everybody who needs it. So every file that the program makes is 0600 and every directory 0700, whichever
//! library makes it: [`keep_private`] has the operating system see to that. [`private_dir`] does the same for
//! what was there before: it is tightened, or refused.
//!
//! What is no plain file may never answer: a pipe that takes the place of a key would hold up whoever reads
//! it for ever. [`read_plain`] refuses it.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

/// Has everything that this process makes from here on be its owner's alone. To be called first.
pub fn keep_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// A directory that only its owner can enter: made if it is missing, with what lies directly in it tightened
/// if others can reach it.
///
/// # Errors
///
/// Where it cannot be made, or others can reach it and that cannot be changed.
pub fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(OWNER_DIR).create(dir)?;
    tighten(dir, &fs::metadata(dir)?)?;
    for found in fs::read_dir(dir)? {
        let found = found?;
        // What is gone again needs nothing: others may be running here.
        let state = match found.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            state => state?,
        };
        if state.is_file() || state.is_dir() {
            match tighten(&found.path(), &state) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                tightened => tightened?,
            }
        }
    }
    Ok(())
}

fn tighten(path: &Path, state: &fs::Metadata) -> io::Result<()> {
    let mode = state.permissions().mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let open = |path: &Path| Ok::<_, io::Error>(fs::metadata(path)?.permissions().mode() & OTHERS != 0);
    let changed = fs::set_permissions(path, Permissions::from_mode(mode & OWNER_DIR));
    // Some file systems take any mode and keep their own.
    match changed.and_then(|()| open(path)) {
        Ok(false) => {
            tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & MODE), "other users could open this file; made it private to its owner");
            Ok(())
        }
        Err(error)
            if [io::ErrorKind::NotFound, io::ErrorKind::ReadOnlyFilesystem].contains(&error.kind()) =>
        {
            Err(error)
        }
        Ok(true) | Err(_) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "others can open `{}` (mode {:o}), and that cannot be changed from here: `chmod go= {0}`, or name a \
                 directory inside of it, which is then made for the gateway alone",
                path.display(),
                mode & MODE
            ),
        )),
    }
}

/// The content of a plain file, which is wiped on drop: it may be a key.
///
/// # Errors
///
/// Where it cannot be read, is no plain file, or is larger than any key or certificate.
pub fn read_plain(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // Opening a pipe to which nobody writes would wait for them.
    let without_waiting = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = File::options().read(true).custom_flags(without_waiting).open(path)?;
    let state = file.metadata()?;
    if !state.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"));
    }
    if state.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is larger than a mebibyte"));
    }
    // Of the final size from the start: what is wiped is all there is of it.
    let size = usize::try_from(state.len()).map_err(io::Error::other)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.saturating_add(1)));
    file.take(state.len()).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const OWNER_DIR: u32 = 0o700;
const OTHERS: u32 = 0o077;
const MODE: u32 = 0o7777;
/// What is read whole, in bytes.
const LARGEST: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_directory_that_others_could_open_is_tightened_with_what_lies_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(data.join("ledger.lock"), "").unwrap();
        fs::create_dir(data.join("media")).unwrap();
        for (path, open) in [(&data, 0o755), (&data.join("ledger.lock"), 0o644), (&data.join("media"), 0o750)]
        {
            fs::set_permissions(path, Permissions::from_mode(open)).unwrap();
        }
        private_dir(&data).unwrap();
        assert_eq!(mode(&data), 0o700);
        assert_eq!(mode(&data.join("ledger.lock")), 0o600);
        assert_eq!(mode(&data.join("media")), 0o700);
        private_dir(&dir.path().join("new/data")).unwrap();
        assert_eq!(mode(&dir.path().join("new/data")), 0o700);
    }

    #[test]
    fn what_is_no_plain_file_is_refused_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe.as_path(), dir.path(), Path::new("/dev/zero")] {
            assert_eq!(read_plain(path).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{path:?}");
        }
        let large = dir.path().join("large");
        File::create(&large).unwrap().set_len(LARGEST + 1).unwrap();
        assert_eq!(read_plain(&large).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let key = dir.path().join("key");
        fs::write(&key, "key").unwrap();
        assert_eq!(read_plain(&key).unwrap().as_slice(), b"key");
    }
}
