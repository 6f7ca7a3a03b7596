import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionError } from "../base/assert.ts";
import { TsboxError } from "../base/error.ts";
import { after, allow, type ContainerEvent, type ContainerState, type Operation, transitions } from "./state.ts";

const states = Object.keys(transitions) as ContainerState[];
const events: ContainerEvent[] = [
  "start",
  "exit",
  "back-off",
  "give-up",
  "pause",
  "unpause",
  "remove",
  "remove-failed",
];

test("the table of states is the one in the documentation", () => {
  const table = states.flatMap((state) =>
    events.flatMap((event) =>
      transitions[state][event] === undefined ? [] : [`${state} ${event} ${after(state, event)}`],
    ),
  );
  assert.deepEqual(table, [
    "created start running",
    "created remove removing",
    "running exit exited",
    "running back-off restarting",
    "running pause paused",
    "paused exit exited",
    "paused back-off restarting",
    "paused unpause running",
    "restarting start running",
    "restarting give-up exited",
    "restarting remove removing",
    "exited start running",
    "exited back-off restarting",
    "exited remove removing",
    "removing remove-failed dead",
    "dead remove removing",
  ]);
});

test("every state can be reached, and from every state a container can go away", () => {
  const reach = (from: ContainerState): Set<ContainerState> => {
    const seen = new Set<ContainerState>([from]);
    for (const state of seen) for (const next of Object.values(transitions[state])) seen.add(next);
    return seen;
  };
  assert.deepEqual([...reach("created")].sort(), [...states].sort());
  for (const state of states) assert.ok(reach(state).has("removing") || state === "removing", state);
});

test("what cannot happen is our mistake, what is forbidden the user's", () => {
  assert.throws(() => after("created", "exit"), AssertionError);
  const of = (operation: Operation): Record<string, string> =>
    Object.fromEntries(
      states.map((state) => {
        try {
          allow(operation, { id: "1234", name: "web", state });
          return [state, "yes"];
        } catch (error) {
          assert.ok(error instanceof TsboxError);
          return [state, error.code];
        }
      }),
    );
  assert.deepEqual(
    {
      start: of("start"),
      stop: of("stop"),
      kill: of("kill"),
      exec: of("exec"),
      attach: of("attach"),
      remove: of("remove"),
    },
    {
      start: row("yes", "not-modified", "conflict", "yes", "yes", "conflict", "conflict"),
      stop: row("not-modified", "yes", "yes", "yes", "not-modified", "not-modified", "not-modified"),
      kill: row("conflict", "yes", "yes", "conflict", "conflict", "conflict", "conflict"),
      exec: row("conflict", "yes", "conflict", "conflict", "conflict", "conflict", "conflict"),
      attach: row("yes", "yes", "conflict", "conflict", "yes", "conflict", "conflict"),
      remove: row("yes", "conflict", "conflict", "conflict", "yes", "conflict", "yes"),
    },
  );
});

function row(...codes: string[]): Record<string, string> {
  return Object.fromEntries(states.map((state, at) => [state, codes[at] ?? ""]));
}
