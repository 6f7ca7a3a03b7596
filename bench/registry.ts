/**
 * Pull and push of the Debian image, from and to distribution's own server on loopback, beside dockerd, podman and
 * skopeo. All of them run in dockerd's network namespace and keep their files in memory.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { scratch } from "../backends/linux/testing/scratch.ts";
import { startDockerd } from "../test/docker-cli/dockerd.ts";
import { debianTar } from "../test/images/make.ts";
import { startDockerRegistry } from "../test/registry/docker-registry.ts";
import { timeCommand } from "./command.ts";
import { type BenchEngine, openBenchEngine } from "./engine.ts";
import { type Contender, interleave, type Times } from "./interleave.ts";
import { type Goal, judge, type Row } from "./row.ts";

const memoryGoal = 200_000_000;
/** A turn of all contenders takes about five seconds. */
const roundsMax = 3;

export async function* bench(asked: number): AsyncGenerator<Row> {
  const rounds = Math.min(asked, roundsMax);
  const directory = scratch("pull");
  const dockerd = await startDockerd();
  const { within } = dockerd;
  const registry = await startDockerRegistry({ within });
  const engine = await openBenchEngine(directory, within);
  const run = (program: string, ...args: readonly string[]): number => {
    const [first = program, ...before] = [...within, program];
    return timeCommand({ program: first, args: [...before, ...args] });
  };
  const image = `${registry.host}/team/debian:1`;
  const peers = peersOf(run, { directory, docker: dockerd.host, image });
  try {
    run(
      "skopeo",
      "--insecure-policy",
      "copy",
      "--dest-tls-verify=false",
      `docker-archive:${await debianTar()}`,
      `docker://${image}`,
    );
    yield* pulls(peers, { engine, image, rounds });
    yield* again(peers, { engine, image, rounds });
    yield* pushes(peers, { engine, image, rounds });
    yield memoryRow(engine);
  } finally {
    peers.close();
    await engine.close();
    await registry.stop();
    await dockerd.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

type Run = (program: string, ...args: readonly string[]) => number;

interface Peers {
  readonly docker: (...args: readonly string[]) => number;
  readonly podman: (...args: readonly string[]) => number;
  /** Copies the image to a store of its own, which is empty before. */
  readonly skopeo: () => number;
  readonly close: () => void;
}

function peersOf(run: Run, where: { directory: string; docker: string; image: string }): Peers {
  const { directory, image } = where;
  const storage = ["--root", join(directory, "podman"), "--runroot", join(directory, "pr")];
  const podman = (...args: readonly string[]): number =>
    run("podman", ...storage, "--storage-driver", "overlay", ...args);
  let copies = 0;
  return {
    docker: (...args) => run("docker", "-H", where.docker, ...args),
    podman,
    skopeo: () => {
      const root = join(directory, `skopeo-${copies++}`);
      const target = `containers-storage:[overlay@${root}+${root}-run]debian:1`;
      const copy = ["copy", "-q", "--src-tls-verify=false", `docker://${image}`, target];
      const time = run("skopeo", "--insecure-policy", ...copy);
      dropStorage(root);
      return time;
    },
    close: () => dropStorage(join(directory, "podman")),
  };
}

/** A storage of podman's or skopeo's, with the mount on itself that it keeps. */
function dropStorage(root: string): void {
  spawnSync("umount", [join(root, "overlay")], { stdio: "ignore" });
  rmSync(root, { recursive: true, force: true });
}

interface Task {
  readonly engine: BenchEngine;
  readonly image: string;
  readonly rounds: number;
}

async function* pulls(peers: Peers, { engine, image, rounds }: Task): AsyncGenerator<Row> {
  const once = (pull: () => number, forget: () => void) => async (): Promise<number> => {
    const time = pull();
    forget();
    return time;
  };
  const contenders: Contender[] = [
    {
      name: "tsbox",
      once: once(
        () => engine.tsbox("pull", "-q", image),
        () => engine.tsbox("rmi", image),
      ),
    },
    {
      name: "dockerd",
      once: once(
        () => peers.docker("pull", "-q", image),
        () => peers.docker("rmi", image),
      ),
    },
    {
      name: "podman",
      once: once(
        () => peers.podman("pull", "-q", "--tls-verify=false", image),
        () => peers.podman("rmi", image),
      ),
    },
    { name: "skopeo", once: async () => peers.skopeo() },
  ];
  const times = await interleave(contenders, rounds);
  yield rowOf("pull of the Debian image", times, { peer: "dockerd", atMost: 1 / 3 });
  yield rowOf("pull of the Debian image", times, { peer: "podman", atMost: 1 / 3 });
  yield rowOf("pull of the Debian image", times, { peer: "skopeo", atMost: 1 / 1.5 });
}

/** Of an image that is here as the registry has it. */
async function* again(peers: Peers, { engine, image, rounds }: Task): AsyncGenerator<Row> {
  engine.tsbox("pull", "-q", image);
  peers.docker("pull", "-q", image);
  peers.podman("pull", "-q", "--tls-verify=false", image);
  const contenders: Contender[] = [
    { name: "tsbox", once: async () => engine.tsbox("pull", "-q", image) },
    { name: "dockerd", once: async () => peers.docker("pull", "-q", image) },
    { name: "podman", once: async () => peers.podman("pull", "-q", "--tls-verify=false", image) },
  ];
  yield rowOf("second pull of it", await interleave(contenders, rounds), null);
}

/** To a repository that has nothing of it, with a sibling that is not told of. */
async function* pushes(peers: Peers, { engine, image, rounds }: Task): AsyncGenerator<Row> {
  let number = 0;
  const fresh = (): string => image.replace("team/debian", `push/number-${number++}`);
  const contenders: Contender[] = [
    { name: "tsbox", once: async () => pushOnce(fresh(), (...args) => engine.tsbox(...args)) },
    { name: "dockerd", once: async () => pushOnce(fresh(), peers.docker) },
    { name: "podman", once: async () => pushOnce(fresh(), peers.podman, "--tls-verify=false") },
  ];
  yield rowOf("push of it to a new repository", await interleave(contenders, rounds), null);

  function pushOnce(
    target: string,
    client: (...args: readonly string[]) => number,
    ...flags: readonly string[]
  ): number {
    client("tag", image, target);
    const time = client("push", "-q", ...flags, target);
    client("rmi", target);
    return time;
  }
}

function rowOf(row: string, times: ReadonlyMap<string, Times>, goal: Goal | null): Row {
  const { tsbox = Number.NaN, ...peers } = Object.fromEntries([...times].map(([name, { median }]) => [name, median]));
  return judge({ bench: "registry", row: `${row} (median)`, unit: "ms", ours: tsbox, peers }, goal);
}

/** The most memory the daemon has ever held (proc(5), VmHWM), after all of the above. */
function memoryRow({ pid }: BenchEngine): Row {
  const [, kilobytes = "NaN"] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  const ours = Number(kilobytes) * 1024;
  return {
    bench: "registry",
    row: "peak memory of the daemon",
    unit: "bytes",
    ours,
    peers: {},
    ratio: null,
    goal: `at most ${memoryGoal} bytes`,
    met: ours <= memoryGoal,
  };
}
