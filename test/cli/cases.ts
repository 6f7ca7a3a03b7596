/**
 * What is compared between the stock docker client and tsbox on one and the same daemon. A case
 * is prepared twice, once for each client, so that both meet the same state.
 */
export interface Case {
  readonly argv: readonly string[];
  /** Done before, with the docker client; containers are removed after each case. */
  readonly given?: readonly (readonly string[])[];
  readonly stdin?: string;
}

const sleeper = ["run", "-d", "--name", "fx", "busybox", "sleep", "1000"];
const ended = ["run", "--name", "done", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3"];
const created = ["create", "--name", "made", "busybox", "sh", "-c", "echo hi; exit 4"];
const webby = ["run", "-d", "--name", "web", "-p", "127.0.0.1:8081:80", "--label", "a=b", "busybox", "sleep", "1000"];

function words(...lines: string[]): Case[] {
  return lines.map((line) => ({ argv: line.split(" ") }));
}

function on(given: readonly string[], ...lines: string[]): Case[] {
  return lines.map((line) => ({ argv: line.split(" "), given: [given] }));
}

const usage = words(
  "run --foo",
  "run -z",
  "run -itz busybox",
  "run",
  "run -m",
  "run --name",
  "run -m abc busybox",
  "run --cpus x busybox",
  "run --pids-limit x busybox",
  "run --rm=maybe busybox",
  "run -e =x busybox true",
  "run --ulimit nofile busybox",
  "run --ulimit foo=1 busybox",
  "run --ulimit nofile=3:2 busybox",
  "run --mount type=foo busybox",
  "run --mount foo busybox",
  "run --add-host x busybox",
  "run --rm --restart always busybox",
  "run --env-file /nonexistent busybox",
  "run -it busybox",
  "nonsense",
  "volume nonsense",
  "volume ls x",
  "ps x",
  "ps --filter x",
  "rm",
  "rename a",
  "tag a",
  "exec a",
  "inspect",
  "stop -t x a",
  "images a b",
  "load -i /nonexistent",
);

const absent = words(
  "rm zzz",
  "rm -f zzz",
  "stop zzz",
  "start zzz",
  "restart zzz",
  "kill zzz",
  "wait zzz",
  "logs zzz",
  "attach zzz",
  "exec zzz sh",
  "inspect zzz",
  "inspect --type container zzz",
  "inspect --type image zzz",
  "inspect --type foo zzz",
  "container inspect zzz",
  "top zzz",
  "port zzz",
  "pause zzz",
  "rename zzz a",
  "tag zzz a",
  "rmi zzz",
  "volume rm zzz",
  "volume inspect zzz",
);

const runs: readonly Case[] = [
  ...words(
    "run --rm busybox echo hi",
    "run --rm busybox nosuch",
    "run --rm busybox /etc",
    "run --rm -w /tmp -e A=1 --hostname h -u 1000 busybox env",
    "run --rm -h box busybox hostname",
    "run --rm --entrypoint echo busybox a b",
    "run --memory 1 busybox",
    "run -v a:b:c:d busybox",
    "run --name a/b busybox",
    "run --network container: busybox",
    "run --cap-add NONSENSE busybox true",
    "run --rm=true --init=false busybox true",
    "run --rm busybox -- true",
    "run --pull nonsense busybox",
    "run --pull never nosuch:1",
  ),
  { argv: ["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7"] },
  { argv: ["run", "-i", "--rm", "busybox", "cat"], stdin: "through\n" },
  { argv: ["run", "--name", "fx", "busybox", "true"], given: [sleeper] },
  { argv: ["run", "-d", "--rm", "busybox", "sleep", "1000"] },
  { argv: ["run", "-d", "busybox", "nosuch"] },
  { argv: ["create", "--name", "c1", "busybox"] },
];

const lists: readonly Case[] = [
  ...words("ps", "ps -a", "images", "images -q", "images --no-trunc", "images --digests", "images nosuch"),
  ...words("images --format {{.Repository}}:{{.Tag}}", "images --filter reference=busy*", "ps --format {{.Foo}}"),
  ...words("ps --format {{.Foo", "ps --format {{nonsense}}", "ps --filter nonsense=x"),
  ...on(ended, "ps", "ps -a", "ps -aq --no-trunc", "ps -a --format {{.Names}}:{{.Status}}", "ps -l", "ps -n 1"),
  ...on(
    ended,
    "logs done",
    "logs --tail 1 done",
    "logs --since x done",
    "logs --tail x done",
    "wait done",
    "start -a done",
  ),
  ...on(webby, "ps", "ps -s", "ps --no-trunc", "ps --filter name=web", "ps --filter name=other", "ps -q"),
  { argv: ["ps", "--format", "table {{.ID}}\t{{.Names}}\t{{.Ports}}"], given: [webby] },
  ...on(webby, "ps --format {{.Labels}}|{{.Networks}}|{{.State}}|{{.Image}}", "port web", "port web 80", "port web 81"),
  ...on(["volume", "create", "vol1"], "volume ls", "volume ls -q", "volume create vol1", "volume rm vol1 zzz"),
  ...on(["volume", "create", "vol1"], "volume inspect vol1", "volume inspect -f {{.Driver}} vol1"),
];

const states: readonly Case[] = [
  ...on(sleeper, "stop -t 0 fx", "kill fx", "kill -s FOO fx", "rm fx", "rm -f fx", "restart -t 0 fx", "rename fx fx"),
  ...on(sleeper, "rename fx fy", "pause fx", "unpause fx", "start fx", "start fx zzz", "rmi busybox", "logs fx"),
  ...on(sleeper, "exec fx echo hi", "exec fx nosuch", "exec fx /etc", "exec -w /nonexistent fx pwd", "exec -d fx true"),
  ...on(sleeper, "exec -u 1000 -e A=1 -w /tmp fx sh -c exit", "top fx -o pid,args"),
  { argv: ["exec", "fx", "sh", "-c", "echo err >&2; exit 9"], given: [sleeper] },
  { argv: ["exec", "-i", "fx", "cat"], given: [sleeper], stdin: "through\n" },
  { argv: ["exec", "fx", "true"], given: [sleeper, ["pause", "fx"]] },
  { argv: ["attach", "fx"], given: [sleeper, ["pause", "fx"]] },
  ...on(created, "start made", "start -a made", "start -ai made", "attach made", "stop made", "logs made", "rm made"),
  ...on(created, "kill made", "exec made true", "wait nosuch"),
  ...on(["tag", "busybox", "other:1"], "rmi other:1"),
  ...on(["tag", "busybox", "other:1"], "rmi nosuch other:1", "tag other:1 Bad"),
];

const inspections: readonly Case[] = [
  ...on(
    sleeper,
    "inspect -f {{.Name}} fx zzz",
    "inspect -f {{.Foo}} fx",
    "inspect -f {{.Foo fx",
    "inspect -f {{.State.Foo}} fx",
    "inspect -f {{.State.Status}}-{{.HostConfig.Memory}} fx",
    "inspect -f {{json(.Config.Cmd)}} fx",
    "inspect -f {{.Config.Labels}}{{.Config.Env}} fx",
  ),
  {
    argv: ["inspect", "-f", '{{index .Config.Cmd 1}} {{index .NetworkSettings.Networks "bridge" "Gateway"}}', "fx"],
    given: [sleeper],
  },
  { argv: ["inspect", "-f", "{{index .Config.Cmd 9}}", "fx"], given: [sleeper] },
  {
    argv: ["inspect", "-f", '{{join .Config.Cmd ","}} {{upper .State.Status}} {{printf "%-5s|%3d" "a" 7}}', "fx"],
    given: [sleeper],
  },
  { argv: ["inspect", "-f", "{{if .State.Running}}up{{else}}down{{end}}", "fx"], given: [sleeper] },
  {
    argv: ["inspect", "-f", "{{range $k, $v := .NetworkSettings.Networks}}{{$k}}={{$v.Gateway}}{{end}}", "fx"],
    given: [sleeper],
  },
  { argv: ["inspect", "-f", "{{with .Config}}{{.Image}}{{end}}{{- /* gone */ -}}  x", "fx"], given: [sleeper] },
  {
    argv: ["inspect", "-f", '{{eq .State.Status "running"}} {{not .State.Paused}} {{.State.Running | json}}', "fx"],
    given: [sleeper],
  },
  { argv: ["inspect", "-f", "{{json .Config.Cmd}} {{len .Config.Cmd}}", "fx"], given: [sleeper] },
  { argv: ["inspect", "-f", "{{range .Config.Env}}<{{.}}>{{else}}none{{end}}", "fx"], given: [sleeper] },
  { argv: ["inspect", "-f", "{{range .Mounts}}<{{.}}>{{else}}none{{end}}", "fx"], given: [sleeper] },
  { argv: ["inspect", "-f", '{{slice .Id 0 0}}{{or .Config.User "nobody"}} {{and 1 0}}', "fx"], given: [sleeper] },
  ...words("inspect --type image busybox", "image inspect -f {{.RepoTags}} busybox"),
];

export const cases: readonly Case[] = [...usage, ...absent, ...runs, ...lists, ...states, ...inspections];
