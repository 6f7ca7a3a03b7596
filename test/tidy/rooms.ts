/**
 * The rooms of the house and who may import whom, as data. ARCHITECTURE.md says the same in prose.
 *
 * Inside core a room may import itself and the rooms before it, because that is the way data flows. Outside core a
 * room lists what it may import. A file belongs to the room with the longest matching path.
 */
export interface Room {
  readonly path: string;
  /** Rooms and single files it may import besides itself. */
  readonly may: readonly string[];
  /** Whether it may import Node's own modules. */
  readonly node: boolean;
  /** Packages of npm it may import; "*": any. */
  readonly packages: readonly string[] | "*";
  /** Why it may import no more than that; ends the message when it does. */
  readonly why: string;
}

/** Core's rooms in the order in which data flows through them. */
export const coreOrder = [
  "base",
  "unionfs",
  "image",
  "runtime",
  "volume",
  "network",
  "container",
  "build",
  "engine",
  "lesson",
] as const;

const pure = "core is pure: it runs the same in a browser tab and on a host";

/** Plain data and plain computation, no world behind it: gzip that is the same everywhere. */
const corePackages: Readonly<Partial<Record<(typeof coreOrder)[number], readonly string[]>>> = {
  image: ["fflate"],
};

const coreRooms: readonly Room[] = coreOrder.map((name, index) => ({
  path: `core/${name}`,
  may: coreOrder.slice(0, index).map((earlier) => `core/${earlier}`),
  node: false,
  packages: corePackages[name] ?? [],
  why: pure,
}));

const backend = {
  may: [
    "core/base",
    "core/unionfs",
    "core/runtime",
    "core/engine/machine.ts",
    "core/image/digest.ts",
    "core/image/image.ts",
  ],
  why: "a backend carries out what core decided: it sees base, unionfs, runtime and the types of the machine",
};

export const rooms: readonly Room[] = [
  ...coreRooms,
  { path: "backends/linux", ...backend, node: true, packages: [] },
  {
    path: "backends/sim",
    ...backend,
    // The simulated userland has a tar of its own; its bytes are core's.
    may: [...backend.may, "core/image/tar.ts", "core/image/tar-write.ts"],
    node: false,
    packages: "*",
  },
  {
    path: "api",
    may: coreRooms.map((room) => room.path),
    node: false,
    packages: ["hono", "valibot"],
    why: "the api translates between Docker's wire and core, and knows no socket and no backend",
  },
  {
    path: "cli",
    may: [
      "core/base",
      "core/image/reference.ts",
      "core/runtime",
      "core/build",
      "core/lesson",
      "api/wire",
      "api/stream.ts",
    ],
    node: false,
    packages: ["commander"],
    why: "the command line speaks Docker's API through ports and sees of core only what it prints",
  },
  {
    path: "host",
    may: ["core", "api", "cli", "backends/sim"],
    node: false,
    packages: ["fflate", "fzstd", "hash-wasm"],
    why: "the simulated host plugs engine, api and cli together over the simulated kernel, in the page as in Node",
  },
  {
    path: "images",
    // The names of the simulated userland's programs become links.
    may: ["core", "backends/linux", "backends/sim/userland/programs.ts"],
    node: true,
    packages: [],
    why: "images are built from core's parts",
  },
  {
    path: "bin",
    may: ["core", "api", "cli", "backends/linux", "backends/sim", "host", "images"],
    node: true,
    packages: "*",
    why: "bin plugs the rooms together; nobody needs the page, the tests or the scripts for that",
  },
  {
    path: "web",
    may: ["core", "api", "cli", "backends/sim", "host"],
    node: false,
    packages: "*",
    why: "the page runs in a browser: there is no Linux backend in it",
  },
  {
    path: "scripts",
    may: ["backends/linux", "images", "web/playground/report.ts"],
    node: true,
    packages: "*",
    why: "scripts set up a checkout and serve the page",
  },
  { path: "bench", may: everything(), node: true, packages: "*", why: "a bench measures what is there" },
  { path: "test", may: everything(), node: true, packages: "*", why: "a test sees everything" },
  { path: ".", may: everything(), node: true, packages: "*", why: "the build sees everything" },
];

function everything(): string[] {
  return ["core", "api", "cli", "backends", "host", "bin", "images", "web", "bench", "scripts", "test", "build.ts"];
}

/** The room of a file, null when it lies in none. */
export function roomOf(file: string): Room | null {
  const homes = rooms.filter((room) => room.path === "." || file.startsWith(`${room.path}/`));
  const depth = (room: Room): number => (room.path === "." ? 0 : room.path.length);
  const home = homes.toSorted((a, b) => depth(b) - depth(a))[0];
  if (home === undefined || (home.path === "." && file.includes("/"))) return null;
  return home;
}
