/**
 * One session of the stock docker client, step by step: what a user would type. It is performed
 * against dockerd to record what Docker says, and against tsboxd to see that it says the same.
 */
import { spawnSync } from "node:child_process";

export interface Step {
  readonly name: string;
  /** Arguments of `docker`. "$tar" stands for the path of the busybox image. */
  readonly arguments: readonly string[];
  readonly stdin?: string;
  /** Under a pseudo-terminal: what is printed is what a person sees. */
  readonly terminal?: boolean;
  /** Both streams together hold this once the container has written it: until then the step is repeated. */
  readonly until?: string;
}

export interface Outcome {
  readonly step: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const forever = "trap exit TERM; while true; do sleep 0.05; done";

function step(name: string, args: string, more: Partial<Step> = {}): Step {
  return { name, arguments: split(args), ...more };
}

/** Words; single quotes keep spaces. */
function split(line: string): string[] {
  return (line.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'([^]*)'$/, "$1"));
}

export const session: readonly Step[] = [
  step("version tells the system", "version --format {{.Server.Os}}/{{.Server.Arch}}"),
  step("load an image", "load -i $tar"),
  step("images lists it", "images --format {{.Repository}}:{{.Tag}}"),
  step("images -q filters by reference", "images -q nosuch*"),
  step(
    "image inspect",
    "image inspect -f '{{.Os}} {{json .Config.Cmd}} {{json .Config.Env}} {{len .RootFS.Layers}}' busybox",
  ),
  step("history", "history --format '{{.CreatedBy}} {{.Comment}}' busybox"),
  step("inspect of nothing", "inspect nosuchthing"),

  step("run prints and removes", "run --rm busybox echo hi"),
  step("both streams are kept apart", "run --rm busybox sh -c 'echo out; echo err >&2'"),
  step("the exit code is the program's", "run --rm busybox sh -c 'exit 7'"),
  step("the first process cannot kill itself", "run --rm busybox sh -c 'kill -9 $$; echo alive'"),
  step("a missing program is 127", "run --rm busybox nosuchprogram"),
  step("a missing path is 127", "run --rm busybox /no/such/program"),
  step("a directory as program is 126", "run --rm busybox /etc"),
  step("a file that is not executable is 126", "run --rm busybox /etc/passwd"),
  step("an unknown flag is 125", "run --nosuchflag busybox"),
  step("a missing working directory is made", "run --rm -w /made/for/me busybox pwd"),
  step("environment", "run --rm -e A=1 -e PATH=/bin busybox env"),
  step("user by number", "run --rm -u 12:34 busybox id"),
  step("user by name", "run --rm -u daemon busybox id -un"),
  step("user there is not", "run --rm -u nosuchuser busybox id"),
  step("host name", "run --rm --hostname box busybox hostname"),
  step("entry point", "run --rm --entrypoint echo busybox -n from entrypoint"),
  step("standard input", "run --rm -i busybox cat", { stdin: "one\ntwo\n" }),
  step("no standard input without -i", "run --rm busybox cat", { stdin: "one\n" }),
  step(
    "a terminal",
    'run --rm -t busybox sh -c \'until [ "$(stty size 2>/dev/null)" = "30 90" ]; do sleep 0.05; done; tty; stty size\'',
    { terminal: true },
  ),
  step("a terminal with input", "run --rm -it busybox sh -c 'read line; echo got $line'", {
    terminal: true,
    stdin: "typed\n",
  }),
  step("a read-only root", "run --rm --read-only busybox touch /x"),
  step("its own process is 1", "run --rm busybox sh -c 'echo $$'"),
  step("the network has lo up", "run --rm --network none busybox cat /sys/class/net/lo/operstate"),
  step("only the default capabilities", "run --rm busybox grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status"),
  step(
    "dropped capabilities",
    "run --rm --cap-drop ALL --cap-add CHOWN busybox grep -E '^Cap(Eff|Bnd)' /proc/self/status",
  ),
  step("seccomp filters", "run --rm busybox grep Seccomp: /proc/self/status"),
  step("system paths are masked", "run --rm busybox sh -c 'wc -c < /proc/keys; touch /proc/sys/x'"),
  step(
    "unless they shall not be",
    "run --rm --security-opt systempaths=unconfined busybox grep -c ' /proc/' /proc/mounts",
  ),
  step("memory limit", "run --rm --memory 32m busybox sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes'"),
  step("memory limit too small", "run --rm --memory 1m busybox true"),
  step("too many cpus", "run --rm --cpus 512 busybox true"),
  step("pids limit", "run --rm --pids-limit 7 busybox cat /sys/fs/cgroup/pids/pids.max"),
  step("a bad volume", "run --rm -v relative/path:/x busybox true"),
  step("a bad mount mode", "run --rm -v /tmp:/x:nosuchmode busybox true"),
  step("a missing bind source", "run --rm --mount type=bind,source=/no/such/dir,target=/x busybox true"),
  step("an image that is not there", "run --rm --pull never nosuchimage true"),
  step("an invalid image name", "run --rm UPPER true"),

  step(
    "run in the background",
    `run -d --name web -l tier=web busybox sh -c 'echo out; sleep 0.2; echo err >&2; ${forever}'`,
  ),
  step("ps shows it", "ps --format '{{.Names}} {{.Image}} {{.State}} {{.Labels}}'"),
  step("ps filters by label", "ps -q --filter label=tier=db"),
  step("ps filters by name", "ps --filter name=^/web$ --format {{.Names}}"),
  step("ps refuses an unknown filter", "ps --filter nosuch=1"),
  step(
    "inspect shows the state",
    "inspect -f '{{.Name}} {{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.Path}}' web",
  ),
  step("logs of both streams", "logs web", { until: "err" }),
  step("logs have a tail", "logs --tail 1 web"),
  step("logs of nothing", "logs nosuchcontainer"),
  step("exec", "exec web echo inside"),
  step("exec keeps the exit code", "exec web sh -c 'exit 3'"),
  step("exec with environment, user and directory", "exec -e B=2 -u 5:6 -w /tmp web sh -c 'echo $B; id; pwd'"),
  step("exec with input", "exec -i web cat", { stdin: "fed\n" }),
  step("exec with a terminal", "exec -t web tty", { terminal: true }),
  step("exec of a missing program", "exec web nosuchprogram"),
  step("exec of a directory", "exec web /etc"),
  step("pause", "pause web"),
  step("ps shows that it is paused", "ps --format '{{.Names}} {{.State}}'"),
  step("pause again", "pause web"),
  step("exec in a paused container", "exec web true"),
  step("attach to a paused container", "attach web"),
  step("rm of what is paused", "rm web"),
  step("unpause", "unpause web"),
  step("unpause again", "unpause web"),
  step("exec in the background", "exec -d web touch /tmp/flag"),
  step("a name in use", "create --name web busybox"),
  step("an invalid name", "create --name bad/name busybox"),
  step("rm of what runs", "rm web"),
  step("start of what runs", "start web"),
  step("kill with an unknown signal", "kill -s NOSUCH web"),
  step("rename", "rename web site"),
  step("stop", "stop -t 5 site"),
  step("stop again", "stop site"),
  step("wait for what has ended", "wait site"),
  step("ps -a shows its end", "ps -a --format '{{.Names}} {{.Status}}'"),
  step("exec into what has ended", "exec site true"),
  step("kill of what has ended", "kill site"),
  step("start again", "start site"),
  step("restart", "restart -t 5 site"),
  step("pause what will be killed", "pause site"),
  step("kill what is paused", "kill site"),
  step("pause what has ended", "pause site"),
  step("rm", "rm site"),
  step("rm again", "rm site"),
  step("rm -f of nothing", "rm -f site"),
  step("stop of nothing", "stop site"),

  step("create", "create --name later -i busybox cat"),
  step("created is a state", "ps -a --format '{{.Names}} {{.Status}}'"),
  step("start attached", "start -ai later", { stdin: "late\n" }),
  step("rm -f", "rm -f later"),

  step("volume create", "volume create data"),
  step("volume in use", "run --rm -v data:/data busybox sh -c 'echo kept > /data/file'"),
  step("volume kept", "run --rm -v data:/data:ro busybox cat /data/file"),
  step("read-only volume", "run --rm -v data:/data:ro busybox touch /data/x"),
  step("volume ls", "volume ls -q"),
  step("volume inspect", "volume inspect -f '{{.Name}} {{.Driver}} {{.Scope}}' data"),
  step("volume rm", "volume rm data"),
  step("volume rm again", "volume rm data"),
  step("network ls shows none", "network ls -q --filter name=^none$ --format {{.Name}}/{{.Driver}}"),
  step("network inspect of nothing", "network inspect nosuchnetwork"),

  step("tag", "tag busybox demo/box:1"),
  step("tag with an invalid name", "tag busybox demo/Box:1"),
  step("images after tag", "images --format {{.Repository}}:{{.Tag}} demo/box"),
  step("untag", "rmi demo/box:1"),
  step("rmi", "rmi busybox"),
  step("rmi again", "rmi busybox"),
];

/** Performs one step. A step that takes longer than a minute is a failure with the code null has: -1. */
export function perform(step: Step, host: string, tar: string): Outcome {
  const { until = "" } = step;
  for (const begin = performance.now(); ; ) {
    const outcome = performOnce(step, host, tar);
    if (`${outcome.stdout}${outcome.stderr}`.includes(until) || performance.now() - begin > 60_000) return outcome;
  }
}

function performOnce(step: Step, host: string, tar: string): Outcome {
  const args = step.arguments.map((argument) => argument.replace("$tar", tar));
  const [command, ...rest] = step.terminal === true ? underTerminal(args) : ["docker", ...args];
  const { status, stdout, stderr } = spawnSync(command ?? "docker", rest, {
    encoding: "utf8",
    input: step.stdin ?? "",
    timeout: 60_000,
    env: { ...process.env, DOCKER_HOST: host, DOCKER_CONFIG: "/nonexistent", DOCKER_CLI_HINTS: "false" },
  });
  return { step: step.name, code: status ?? -1, stdout: mask(stdout), stderr: mask(stderr) };
}

/**
 * script(1) gives the client a terminal. Nothing is typed before the terminal has its size and does not echo: the
 * gate, a fifo, lets the keys through. What is seen of them comes from the container's terminal alone.
 */
function underTerminal(args: readonly string[]): string[] {
  const quoted = args.map((argument) => `'${argument.replaceAll("'", "'\\''")}'`).join(" ");
  const inside = `stty rows 30 cols 90 -echo; echo >"$GATE"; docker ${quoted}`;
  const outside = `
    GATE=$(mktemp -u) && mkfifo "$GATE" && export GATE || exit
    { read -r _ <"$GATE"; rm "$GATE"; cat; } | script -qec "$1" /dev/null`;
  return ["sh", "-c", outside, "sh", inside];
}

/** What differs from run to run: ids, made-up names, lengths of time, numbers of terminals. */
export function mask(text: string): string {
  return text
    .replace(/\b[0-9a-f]{64}\b/g, "<id>")
    .replace(/\b[0-9a-f]{12}\b/g, "<short id>")
    .replace(/(Less than a second|About a \w+|\d+ (second|minute)s?)( ago)?/g, "<while>")
    .replace(/(container) [a-z]+_[a-z]+:/g, "$1 <name>:")
    .replace(/^(\/dev\/pts\/)\d+/gm, "$1<n>")
    .replace(/\r+\n/g, "\n");
}
