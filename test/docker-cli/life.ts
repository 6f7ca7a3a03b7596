/**
 * What users do with containers beside running them, as shell lines with the stock docker client: files in and out,
 * volumes that begin with the image's files. Performed against dockerd to record what Docker says, and against tsboxd to
 * see that it says the same. Each line runs in a directory of its own session, with `busybox` loaded.
 */
import { spawnSync } from "node:child_process";
import { mask, type Outcome } from "./session.ts";

export interface Line {
  readonly name: string;
  readonly script: string;
}

const forever = "trap exit TERM; while true; do sleep 0.05; done";

/** What a tar on standard input holds: names, kinds, modes, owners. */
const listing = 'tar tvf - --numeric-owner | awk \'{print ($1 ~ /^h/ ? "h" : $1 " " $2), $6, $7, $8}\'';

export const life: readonly Line[] = [
  // Volumes
  line("a new volume begins with what the image has there", "docker run --rm -v fresh:/etc busybox ls /etc"),
  line("so does an anonymous one", "docker run --rm -v /etc busybox cat /etc/group"),
  line(
    "owner and mode of the directory come along",
    "docker run --rm -v spool:/tmp busybox sh -c 'stat -c \"%a %u:%g\" /tmp'",
  ),
  line(
    "one that holds something stays as it is",
    "docker run --rm -v kept:/data busybox touch /data/mine; docker run --rm -v kept:/etc busybox ls /etc",
  ),
  line("nor is one filled that shall not be", "docker run --rm -v bare:/etc:nocopy busybox ls /etc"),
  line("nor by --mount", "docker run --rm --mount type=volume,source=bare2,target=/etc,volume-nocopy busybox ls /etc"),
  line("a read-only volume is filled too", "docker run --rm -v ro:/etc:ro busybox ls /etc"),
  line("a path that the image has not gives an empty one", "docker run --rm -v none:/nowhere busybox ls -A /nowhere"),
  line(
    "it is filled when the container is created",
    "docker create --name made -v early:/etc busybox; docker rm made; docker run --rm -v early:/x busybox ls /x",
  ),

  // docker cp, of one that runs
  line("a container to copy from", `docker run -d --name web -v shared:/vol busybox sh -c '${forever}'`),
  line(
    "things to copy",
    "docker exec web sh -c 'mkdir -p /d/sub; echo one >/d/one; echo two >/d/sub/two; ln -s one /d/link; ln -s /d /dl; ln /d/one /d/hard; chmod 750 /d/sub; chown 5:6 /d/one; mkfifo /d/pipe; ln -s nowhere /d/broken; echo v >/vol/file; chmod 4755 /d/sub/two'",
  ),
  line("a file out", "docker cp web:/d/one . && cat one"),
  line("a file out under another name", "docker cp web:/d/one ./other && cat other"),
  line("a directory out", "docker cp web:/d . && find d | sort && cat d/one"),
  line("what is in a directory", "mkdir into && docker cp web:/d/. into && find into | sort"),
  line("a directory into one that is there", "docker cp web:/d into && find into/d | sort"),
  line("to standard output", `docker cp web:/d - | ${listing}`),
  line("the contents to standard output", `docker cp web:/d/. - | ${listing}`),
  line("a symlink is copied as one", "docker cp web:/d/link . && readlink link"),
  line("or what it leads to", "docker cp -L web:/d/link ./followed && cat followed"),
  line("a symlink to a directory, through it", "docker cp web:/dl/. through && find through | sort"),
  line("one that leads nowhere", "docker cp web:/d/broken . && readlink broken"),
  line("of a volume", "docker cp web:/vol/file ./fromvolume && cat fromvolume"),
  line("nothing there", "docker cp web:/nosuch ."),
  line("no such container", "docker cp nosuch:/etc ."),
  line("a file in", "echo mine >local && docker cp local web:/d/ && docker exec web cat /d/local"),
  line("a file in under another name", "docker cp local web:/d/renamed && docker exec web cat /d/renamed"),
  line("over one that is there", "echo new >fresh && docker cp fresh web:/d/local && docker exec web cat /d/local"),
  line(
    "a directory in",
    "mkdir -p tree/a && echo x >tree/a/x && ln -s a tree/s && chmod 700 tree/a && docker cp tree web:/ && docker exec web sh -c 'find /tree | sort; readlink /tree/s; stat -c %a /tree/a'",
  ),
  line("what is in a directory, in", "docker cp tree/. web:/d/sub && docker exec web sh -c 'find /d/sub | sort'"),
  line("into a directory that is not there", "docker cp local web:/no/such/"),
  line("a directory over a file", "docker cp tree web:/d/one"),
  line("a file over a directory", "docker cp local web:/d/sub && docker exec web ls /d/sub/local"),
  line("into a volume", "docker cp local web:/vol/ && docker run --rm -v shared:/vol busybox ls /vol"),
  line("into a symlink to a directory", "docker cp local web:/dl/ && docker exec web cat /d/local"),
  line(
    "from standard input",
    "tar cf - --owner 7 --group 8 -C tree . | docker cp - web:/d/sub && docker exec web sh -c 'stat -c \"%u:%g\" /d/sub/a/x'",
  ),
  line("owners stay", "chown 11:12 local && docker cp local web:/d/owned && docker exec web stat -c '%u:%g' /d/owned"),
  line("and all of them with -a", "docker cp -a local web:/d/all && docker exec web stat -c '%u:%g' /d/all"),
  line("between containers", "docker cp web:/d/one web:/d/two"),

  // docker cp, of one that does not
  line("a container that never ran", "docker create --name still -v shared:/vol busybox true"),
  line("its file out", "docker cp still:/etc/group - | tar xO"),
  line("a file into it, and out again", "docker cp local still:/etc/mine && docker cp still:/etc/mine - | tar xO"),
  line("its volume", "docker cp still:/vol/file - | tar xO"),
  line("what was copied is a change of it", "docker diff still | sort"),
  line(
    "it starts with it",
    "docker create --name reads busybox cat /greeting; echo hello >g && docker cp g reads:/greeting && docker start -a reads",
  ),
  line("one with a read-only root", "docker create --name hard --read-only -v shared:/vol:ro busybox true"),
  line("does not take files", "docker cp local hard:/etc/"),
  line("nor does its volume", "docker cp local hard:/vol/"),
  line(
    "an export has everything but the volumes",
    "docker export still | tar tf - | grep -E '^(etc/(group|mine)|vol)' | sort",
  ),
  line("so has one of what runs", "docker export web | tar tf - | grep -E '^(d/|proc/[0-9]|vol|sys/k)' | sort"),
  // An init
  line(
    "an init is the first process",
    'docker run --rm --init busybox sh -c \'tr "\\0" " " </proc/1/cmdline; echo; tr "\\0" " " </proc/$$/cmdline; echo $PPID\'',
  ),
  line(
    "it reaps what ends",
    `docker run --rm --init busybox sh -c 'sh -c "sleep 0.1 &"; sleep 0.5; cat /proc/[0-9]*/status | grep -c "State:.Z"'`,
  ),
  line("the exit code is the program's", "docker run --rm --init busybox sh -c 'exit 9'"),
  line("also when a signal ends it", "docker run --rm --init busybox sh -c 'kill -9 $$'"),
  line(
    "signals reach the program",
    `docker run -d --name stopped --init busybox sh -c 'trap "exit 7" TERM; echo ready; while true; do sleep 0.05; done' >/dev/null; until docker logs stopped | grep -q ready; do :; done; docker stop -t 9 stopped; docker wait stopped; docker rm stopped`,
  ),
  line("input and a terminal are the program's", "echo typed | docker run -i --rm --init busybox cat"),
  line("a program that is not there", "docker run --rm --init busybox nosuch"),
  line(
    "it shows",
    "docker create --name has --init busybox true; docker inspect -f '{{.HostConfig.Init}} {{.Path}}' has; docker rm has",
  ),

  // Logs
  line(
    "a log that begins anew keeps the last of it",
    "docker run --name chatty --log-opt max-size=2k --log-opt max-file=3 busybox seq 1 200 >/dev/null; docker logs chatty | tail -1; [ $(docker logs chatty | wc -l) -lt 100 ] && echo fewer; docker logs --tail 2 chatty; docker logs --tail 30 chatty | head -1",
  ),
  line(
    "its files",
    "dirname $(docker inspect -f '{{.LogPath}}' chatty) | xargs ls 2>/dev/null | grep log | sed 's/.*log/log/'; docker rm chatty",
  ),
  line(
    "with one file there is only what came last",
    "docker run --name one --log-opt max-size=1k busybox seq 1 100 >/dev/null; docker logs one | tail -1; [ $(docker logs one | wc -l) -lt 20 ] && echo fewer; docker rm one",
  ),
  line(
    "followed, nothing is missing",
    "docker run -d --name flow --log-opt max-size=4k --log-opt max-file=9 busybox sh -c 'for i in $(seq 1 250); do echo $i; sleep 0.001; done' >/dev/null; docker logs -f flow | sort -n | uniq | wc -l; docker rm flow",
  ),
  line("an unknown option of the log", "docker run --rm --log-opt nosuch=1 busybox true"),
  line("a size that is none", "docker run --rm --log-opt max-size=huge busybox true"),
  line("no files", "docker run --rm --log-opt max-size=1k --log-opt max-file=0 busybox true"),

  // Limits
  line(
    "a container with limits",
    `docker run -d --name lim -m 32m --cpus 0.5 --pids-limit 50 --label a=b busybox sh -c '${forever}'`,
  ),
  line(
    "its limits can be changed while it runs",
    "docker update -m 48m --memory-swap 96m --cpus 0.25 --pids-limit 20 lim",
  ),
  line(
    "the kernel holds it to them",
    "docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}' lim",
  ),
  line(
    "and says so within",
    "docker exec lim sh -c 'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max pids/pids.max pids.max; cat cpu/cpu.cfs_quota_us cpu,cpuacct/cpu.cfs_quota_us cpu.max | head -1 | cut -d \" \" -f 1' 2>/dev/null",
  ),
  line("more memory than memory and swap", "docker update -m 1g lim"),
  line("less", "docker update -m 16m lim && docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}' lim"),
  line(
    "no limit of processes any more",
    "docker update --pids-limit -1 lim && docker exec lim sh -c 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true'",
  ),
  line("too little", "docker update -m 1m lim"),
  line(
    "more processors than there are",
    "docker update --cpus 512 lim 2>&1 | sed 's/only [0-9]* CPUs/only <n> CPUs/; s/to [0-9.]*,/to <n>,/'",
  ),
  line("a quota where there are processors", "docker update --cpu-quota 5000 lim"),
  line(
    "its restart policy",
    "docker update --restart on-failure:3 lim && docker inspect -f '{{json .HostConfig.RestartPolicy}}' lim",
  ),
  line("no such policy", "docker update --restart sometimes lim"),
  line(
    "a policy for what is to be removed",
    "docker run -d --rm --name gone busybox sleep 100; docker update --restart always gone; docker rm -f gone",
  ),
  line(
    "one that does not run",
    "docker create --name later -m 32m busybox true && docker update -m 40m later && docker inspect -f '{{.HostConfig.Memory}}' later && docker start -a later; docker rm later",
  ),
  line("nothing to be changed", "docker update lim"),
  line("no such container to change", "docker update -m 64m nosuch"),
  line(
    "what it uses",
    "docker stats --no-stream --format '{{.Name}}' lim; docker stats --no-stream --format '{{.MemUsage}}' lim | sed 's/.* //; s/[0-9.]*MiB/MiB/'",
  ),
  line(
    "what of it comes over the wire",
    `"$NODE" -e 'require("http").get({ socketPath: process.env.DOCKER_HOST.slice(7), path: "/containers/lim/stats?stream=0" }, (r) => r.pipe(process.stdout))' | tr ',{}' '\n\n\n' | grep -oE '"(read|preread|pids_stats|current|cpu_usage|total_usage|usage_in_usermode|usage_in_kernelmode|system_cpu_usage|online_cpus|throttling_data|periods|memory_stats|usage|limit|name|id)":' | sort | uniq -c`,
  ),
  line(
    "of one that does not run",
    "docker create --name idle busybox true >/dev/null; docker stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}' idle; docker rm idle",
  ),
  line("of nothing there", "docker stats --no-stream nosuch"),
  line("what is paused stands still at once", "docker pause lim && docker exec -i lim true; docker unpause lim"),
  line("limits away", "docker rm -f lim"),
  line("all away", "docker rm -f web still hard reads"),
];

function line(name: string, script: string): Line {
  return { name, script };
}

/** Performs a line in a directory, with the programs of another first on the path. One that takes longer than a minute is a failure with the code null has: -1. */
export function performLine({ name, script }: Line, host: string, directory: string, programs = ""): Outcome {
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script], {
    cwd: directory,
    encoding: "utf8",
    input: "",
    timeout: 60_000,
    env: {
      ...process.env,
      PATH: `${programs}:${process.env["PATH"] ?? ""}`,
      NODE: process.execPath,
      DOCKER_HOST: host,
      DOCKER_CONFIG: "/nonexistent",
      DOCKER_CLI_HINTS: "false",
    },
  });
  // A client that has failed may or may not get to say that its own archive is of no use any more.
  const said = stderr.replace(/^time="\S+" level=error msg="Can't (add file|close tar).*\n/gm, "");
  return { step: name, code: status ?? -1, stdout: mask(stdout), stderr: mask(said) };
}
