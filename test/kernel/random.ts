/**
 * Random scripts of system calls by several processes (actors.ts): namespaces, mounts and their propagation, signals,
 * System V IPC, control groups. A seed is a script.
 */
import { seededRandom } from "../../backends/sim/random.ts";
import type { Script } from "./cases.ts";

/** A file system in memory of the script's own, and version 2's control groups from its own group on. */
export const scene = "/mnt";
export const groups = `${scene}/cg`;

type Dice = (below: number) => number;

const linesOfScript = 24;
const actors = 5;
const paths = ["a", "a/x", "a/x/y", "b", "b/x", "c"].map((name) => `${scene}/${name}`);
const cgroups = ["", "/g", "/g/h", "/k"].map((name) => `${groups}${name}`);
const modes = ["private", "shared", "slave", "unbindable"];
const signals = [0, 9, 15, 18, 19, 10, 17];

function diceOf(seed: number): Dice {
  const random = seededRandom(seed);
  return (below) => new DataView(random.bytes(4).buffer).getUint32(0) % below;
}

function oneOf<T>(roll: Dice, all: readonly T[]): T {
  return all[roll(all.length)] as T;
}

function someOf(roll: Dice, letters: string): string {
  const some = [...letters].filter(() => roll(3) === 0).join("");
  return some === "" ? oneOf(roll, [...letters]) : some;
}

function maybe(roll: Dice, word: string): string {
  return roll(2) === 0 ? ` ${word}` : "";
}

/** [how often, what] */
const kinds: readonly (readonly [number, (roll: Dice) => string])[] = [
  [4, () => "fork"],
  [1, () => "exit 3"],
  [1, (roll) => `note ${oneOf(roll, [10, 17, 18])}`],
  [2, () => "noted"],
  [1, (roll) => `nice ${roll(actors + 1)} ${roll(9) - 4}`],
  [1, (roll) => `prio ${roll(actors + 1)}`],
  [3, (roll) => `kill ${roll(actors + 1)} ${oneOf(roll, signals)}`],
  [2, () => "wait"],
  [1, () => "pid"],
  [4, (roll) => `unshare ${someOf(roll, "umip")}`],
  [1, (roll) => `unshare ${oneOf(roll, ["U", "Um", "Uu", "n", "C"])}`],
  [3, (roll) => `setns ${roll(actors + 1)} ${someOf(roll, "umi")}`],
  [1, (roll) => `setns ${roll(actors + 1)} ${oneOf(roll, ["p", "U", "C", "n"])}`],
  [2, (roll) => `sethostname h${roll(9)}`],
  [2, () => "hostname"],
  [1, () => "setuid 1000"],
  [1, () => "uid"],
  [3, (roll) => `mkdir ${oneOf(roll, paths)}`],
  [1, (roll) => `rmdir ${oneOf(roll, paths)}`],
  [4, (roll) => `exists ${oneOf(roll, paths)}`],
  [3, (roll) => `tmpfs ${oneOf(roll, paths)}`],
  [4, (roll) => `bind ${oneOf(roll, paths)} ${oneOf(roll, paths)}${maybe(roll, "r")}`],
  [3, (roll) => `umount ${oneOf(roll, paths)}${maybe(roll, "l")}`],
  [3, (roll) => `propagate ${oneOf(roll, [scene, ...paths])} ${oneOf(roll, modes)}${maybe(roll, "r")}`],
  [1, (roll) => `chdir ${oneOf(roll, paths)}`],
  [1, (roll) => `chroot ${oneOf(roll, paths)}`],
  [2, (roll) => `mkdir ${oneOf(roll, cgroups)}`],
  [1, (roll) => `rmdir ${oneOf(roll, cgroups)}`],
  [3, (roll) => `write ${oneOf(roll, cgroups)}/cgroup.procs 0`],
  [2, (roll) => `write ${oneOf(roll, cgroups)}/cgroup.subtree_control ${oneOf(roll, ["+", "-"])}hugetlb`],
  [1, (roll) => `write ${oneOf(roll, cgroups.slice(1))}/cgroup.freeze ${roll(2)}`],
  [1, (roll) => `write ${oneOf(roll, cgroups.slice(1))}/cgroup.kill 1`],
  [1, (roll) => `write ${oneOf(roll, cgroups)}/cgroup.max.descendants ${roll(3)}`],
  [2, (roll) => `cat ${oneOf(roll, cgroups.slice(1))}/cgroup.events`],
  [1, (roll) => `cat ${oneOf(roll, cgroups)}/cgroup.subtree_control`],
  [1, (roll) => `shmget ${1 + roll(2)} 100 c 600`],
  [1, (roll) => `semget ${1 + roll(2)} 1 c 600`],
  [1, (roll) => `semop ${roll(2)} 0:${oneOf(roll, ["1", "-1", "-1:u", "1:u", "0:n"])}`],
  [1, (roll) => `semstat ${roll(2)}`],
  [1, (roll) => `semrm ${roll(2)}`],
];

const chances = kinds.flatMap(([times, kind]) => Array.from({ length: times }, () => kind));

export function randomScript(seed: number): Script {
  const roll = diceOf(seed);
  const begin = ["0 fork 1", `0 mkdir ${paths[0]}`, `0 propagate ${scene} ${oneOf(roll, modes.slice(0, 2))} r`];
  let forks = 1;
  const rest = Array.from({ length: linesOfScript }, () => {
    const call = oneOf(roll, chances)(roll);
    // A number stands for one process; when there are enough, a fork is looked at.
    const isFork = call === "fork" && forks < actors;
    const numbered = isFork ? `fork ${++forks}` : call === "fork" ? "wait" : call;
    return `${roll(roll(2) === 0 ? 2 : actors)} ${numbered}`;
  });
  return { title: `seed ${seed}`, lines: [...begin, ...rest] };
}

/** Those whose answers are recorded. */
export function recordedScripts(): Script[] {
  return Array.from({ length: 40 }, (_, index) => randomScript(index + 1));
}
