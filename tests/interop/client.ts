// A program that uses the types of the API, to be compiled and not run. Where a type were looser than it should be,
// it would not compile.
import type { components, operations } from "./api";

type Decision = components["schemas"]["Decision"];
type Problem = components["schemas"]["Problem"];
type Opened = operations["open_call"]["responses"][201]["content"]["application/json"];
type Refused = operations["control_recording"]["responses"][403]["content"]["application/problem+json"];

const sent: operations["report_events"]["requestBody"]["content"]["application/json"] = [
  { type: "prompt.completed", prompt: "welcome", participants: ["caller", "agent"], played_ms: 4000 },
];

// @ts-expect-error: there is no such event
const misspelt: components["schemas"]["Event"] = { type: "prompt.finished" };

// @ts-expect-error: a call has no colour
const coloured: components["schemas"]["OpenCall"] = { colour: "red" };

// Every action is known, and no other: one that is left out leaves a path without an answer.
export function toDo(decision: Decision): string {
  switch (decision.action) {
    case "none":
      return "go on";
    case "pause":
    case "resume":
    case "stop":
      return `${decision.action} recording`;
    case "end-call":
      return "hang up";
  }
}

// What is always there needs no check.
export function ask(opened: Opened): string[] {
  if (opened.recording === "permitted") {
    return [];
  }
  // @ts-expect-error: it is `permitted` or `blocked`
  if (opened.recording === "perhaps") {
    return [];
  }
  const parties: "one" | "all" = opened.requirement.parties;
  const next = opened.missing.flatMap((one) => one.needs[0] ?? []);
  return [parties, ...next.filter((need) => need !== "participant.joined")];
}

// What only some problems have has to be looked for, and is no string then.
export function uncoveredMs(problem: Problem | Refused): number {
  const known: boolean = problem.code === "uncovered-audio";
  // @ts-expect-error: there is no such code
  const unknown: boolean = problem.code === "uncovered";
  const stretches = problem.uncovered ?? [];
  return known || !unknown ? stretches.reduce((sum, one) => sum + one.duration_ms, 0) : 0;
}

export const events = [sent, misspelt, coloured];
