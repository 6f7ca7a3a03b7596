/** `version`: of this command line and of the daemon it speaks to. */
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { formatObject } from "../format/object.ts";
import { version } from "../version.ts";

interface Component {
  readonly Name: string;
  readonly Version: string;
  readonly Details?: Readonly<Record<string, string>> | null;
}

interface ServerVersion {
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion: string;
  readonly Os: string;
  readonly Arch: string;
  readonly KernelVersion?: string;
  readonly Platform?: { readonly Name: string };
  readonly Components?: readonly Component[] | null;
}

export default command({
  usage: "[OPTIONS]",
  summary: "Show the tsbox version information",
  flags: { format: flag.text("f", "Format output using a custom template: 'json' or 'TEMPLATE'") },
  min: 0,
  max: 0,
  perform: async ({ options, client, ports }) => {
    const { terminal } = ports;
    if (options.format === "") await terminal.stdout(`Client:\n Version:           ${version}\n`);
    const server = await client.get<ServerVersion>("/version");
    const shown =
      options.format === ""
        ? serverText(server)
        : formatObject({ Client: { Version: version }, Server: server }, options.format);
    await terminal.stdout(shown);
    return 0;
  },
});

function serverText(server: ServerVersion): string {
  const engine: readonly [string, string][] = [
    ["Version", server.Version],
    ["API version", `${server.ApiVersion} (minimum version ${server.MinAPIVersion})`],
    ["OS/Arch", `${server.Os}/${server.Arch}`],
    ...(server.KernelVersion === undefined ? [] : [["Kernel", server.KernelVersion] as [string, string]]),
  ];
  const others = (server.Components ?? []).filter(({ Name }) => Name !== "Engine");
  const name = server.Platform?.Name ?? "";
  const blocks = [
    ["Engine", engine] as const,
    ...others.map((each) => [each.Name, [["Version", each.Version]]] as const),
  ];
  return `\nServer:${name === "" ? "" : ` ${name}`}\n${blocks.map(([title, lines]) => block(title, lines)).join("")}`;
}

function block(title: string, lines: readonly (readonly [string, string] | readonly string[])[]): string {
  return ` ${title}:\n${lines.map(([name = "", value = ""]) => `  ${`${name}:`.padEnd(18)}${value}\n`).join("")}`;
}
