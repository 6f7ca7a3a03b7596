/**
 * Which commands there are. Each is loaded when it is called, so that starting one costs nothing
 * for the others; what `tsbox --help` says of it therefore stands here and in its file.
 */
import type { Command } from "./command.ts";

export interface Entry {
  readonly summary: string;
  readonly load: () => Promise<{ readonly default: unknown }>;
}

export const commands: Readonly<Record<string, Entry>> = {
  attach: {
    summary: "Attach local standard input, output, and error streams to a running container",
    load: () => import("./commands/attach.ts"),
  },
  cp: {
    summary: "Copy files/folders between a container and the local filesystem",
    load: () => import("./commands/cp.ts"),
  },
  create: { summary: "Create a new container", load: () => import("./commands/create.ts") },
  diff: {
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: () => import("./commands/diff.ts"),
  },
  events: { summary: "Get real time events from the server", load: () => import("./commands/events.ts") },
  exec: { summary: "Execute a command in a running container", load: () => import("./commands/exec.ts") },
  export: {
    summary: "Export a container's filesystem as a tar archive",
    load: () => import("./commands/export.ts"),
  },
  history: { summary: "Show the history of an image", load: () => import("./commands/history.ts") },
  "image explain": {
    summary: "Show how an image's name leads to its bytes, and how each digest comes about",
    load: () => import("./commands/image-explain.ts"),
  },
  "image prune": { summary: "Remove unused images", load: () => import("./commands/image-prune.ts") },
  images: { summary: "List images", load: () => import("./commands/images.ts") },
  import: {
    summary: "Import the contents from a tarball to create a filesystem image",
    load: () => import("./commands/import.ts"),
  },
  info: { summary: "Display system-wide information", load: () => import("./commands/info.ts") },
  inspect: { summary: "Return low-level information on Docker objects", load: () => import("./commands/inspect.ts") },
  kill: { summary: "Kill one or more running containers", load: () => import("./commands/kill.ts") },
  load: { summary: "Load an image from a tar archive or STDIN", load: () => import("./commands/load.ts") },
  login: { summary: "Authenticate to a registry", load: () => import("./commands/login.ts") },
  logout: { summary: "Log out from a registry", load: () => import("./commands/logout.ts") },
  logs: { summary: "Fetch the logs of a container", load: () => import("./commands/logs.ts") },
  pause: { summary: "Pause all processes within one or more containers", load: () => import("./commands/pause.ts") },
  port: {
    summary: "List port mappings or a specific mapping for the container",
    load: () => import("./commands/port.ts"),
  },
  ps: { summary: "List containers", load: () => import("./commands/ps.ts") },
  pull: { summary: "Download an image from a registry", load: () => import("./commands/pull.ts") },
  push: { summary: "Upload an image to a registry", load: () => import("./commands/push.ts") },
  "registry ls": { summary: "List the repositories of a registry", load: () => import("./commands/registry-ls.ts") },
  "registry manifest": {
    summary: "Show the manifest or index that an image's name points at in its registry",
    load: () => import("./commands/registry-manifest.ts"),
  },
  "registry referrers": {
    summary: "List what refers to an image at its registry: signatures, attestations",
    load: () => import("./commands/registry-referrers.ts"),
  },
  "registry rm": {
    summary: "Remove images from their registries, with all tags that point at them there",
    load: () => import("./commands/registry-rm.ts"),
  },
  "registry serve": {
    summary: "Start a registry and serve it until interrupted",
    load: () => import("./commands/registry-serve.ts"),
  },
  "registry tags": {
    summary: "List the tags of a repository at its registry",
    load: () => import("./commands/registry-tags.ts"),
  },
  rename: { summary: "Rename a container", load: () => import("./commands/rename.ts") },
  restart: { summary: "Restart one or more containers", load: () => import("./commands/restart.ts") },
  rm: { summary: "Remove one or more containers", load: () => import("./commands/rm.ts") },
  rmi: { summary: "Remove one or more images", load: () => import("./commands/rmi.ts") },
  run: { summary: "Create and run a new container from an image", load: () => import("./commands/run.ts") },
  save: {
    summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    load: () => import("./commands/save.ts"),
  },
  search: { summary: "Search Docker Hub for images", load: () => import("./commands/search.ts") },
  "sim advance": {
    summary: "Let time pass at once on a simulated machine, with all that happens in it",
    load: () => import("./commands/sim-advance.ts"),
  },
  start: { summary: "Start one or more stopped containers", load: () => import("./commands/start.ts") },
  stats: {
    summary: "Display a live stream of container(s) resource usage statistics",
    load: () => import("./commands/stats.ts"),
  },
  stop: { summary: "Stop one or more running containers", load: () => import("./commands/stop.ts") },
  "system check": {
    summary: "Check the stored images and their trees, and say what is damaged and what to do",
    load: () => import("./commands/system-check.ts"),
  },
  "system df": { summary: "Show disk usage", load: () => import("./commands/system-df.ts") },
  "system prune": { summary: "Remove unused data", load: () => import("./commands/system-prune.ts") },
  tag: {
    summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    load: () => import("./commands/tag.ts"),
  },
  top: { summary: "Display the running processes of a container", load: () => import("./commands/top.ts") },
  unpause: {
    summary: "Unpause all processes within one or more containers",
    load: () => import("./commands/unpause.ts"),
  },
  update: { summary: "Update configuration of one or more containers", load: () => import("./commands/update.ts") },
  version: { summary: "Show the tsbox version information", load: () => import("./commands/version.ts") },
  "volume create": { summary: "Create a volume", load: () => import("./commands/volume-create.ts") },
  "volume inspect": {
    summary: "Display detailed information on one or more volumes",
    load: () => import("./commands/volume-inspect.ts"),
  },
  "volume ls": { summary: "List volumes", load: () => import("./commands/volume-ls.ts") },
  "volume rm": { summary: "Remove one or more volumes", load: () => import("./commands/volume-rm.ts") },
  wait: {
    summary: "Block until one or more containers stop, then print their exit codes",
    load: () => import("./commands/wait.ts"),
  },
};

/** Docker's long names: `container ls` is `ps`. Of two for one command the first is shown in helps. */
const longNames: Readonly<Record<string, string>> = {
  "container ls": "ps",
  "container list": "ps",
  "container ps": "ps",
  "container remove": "rm",
  "image history": "history",
  "image import": "import",
  "image inspect": "inspect",
  "image load": "load",
  "image ls": "images",
  "image list": "images",
  "image pull": "pull",
  "image push": "push",
  "image rm": "rmi",
  "image remove": "rmi",
  "image save": "save",
  "image tag": "tag",
  "system events": "events",
  "system info": "info",
  "volume list": "volume ls",
  "volume remove": "volume rm",
};

const containerCommands =
  "attach cp create exec export inspect kill logs pause port rename restart rm run start stats stop top unpause update wait".split(
    " ",
  );

export const groups: Readonly<Record<string, string>> = {
  container: "Manage containers",
  image: "Manage images",
  registry: "Look at what lies in registries, and serve one",
  sim: "Direct a simulated machine",
  system: "Manage tsbox",
  volume: "Manage volumes",
};

export interface Found {
  /** The words the user wrote: "container ls". */
  readonly words: string;
  readonly name: string;
  readonly entry: Entry;
  readonly rest: readonly string[];
}

/** The command that argv begins with, null when it names none. */
export function findCommand(argv: readonly string[]): Found | null {
  const [first = "", second = ""] = argv;
  const grouped = Object.hasOwn(groups, first);
  const words = grouped ? `${first} ${second}` : first;
  const name = longNames[words] ?? (first === "container" && containerCommands.includes(second) ? second : words);
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  return entry === undefined ? null : { words, name, entry, rest: argv.slice(grouped ? 2 : 1) };
}

/** A group's commands by the words behind its name, sorted. */
export function membersOf(group: string): [words: string, entry: Entry][] {
  const named = [
    ...Object.keys(commands).map((name) => [name, name] as const),
    ...containerCommands.map((name) => [`container ${name}`, name] as const),
    ...Object.entries(longNames),
  ];
  const members = new Map<string, Entry>();
  for (const [words, name] of named) {
    const entry = commands[name];
    const isNew = ![...members.values()].some((other) => other === entry);
    if (groupOf(words) === group && entry !== undefined && isNew) members.set(words.slice(group.length + 1), entry);
  }
  return [...members].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function groupOf(words: string): string {
  const [group = "", member] = words.split(" ");
  return member === undefined ? "" : group;
}

export async function loadCommand(entry: Entry): Promise<Command> {
  return (await entry.load()).default as Command;
}
