/** `registry serve`: a registry on this machine, for teaching, for tests, for a desk without a network. */
import { command } from "../command.ts";
import { CliError } from "../errors.ts";
import { flag } from "../flags.ts";

export default command({
  usage: "[OPTIONS]",
  summary: "Start a registry and serve it until interrupted",
  flags: {
    address: flag.text(null, "Where to listen, HOST:PORT", "string", "127.0.0.1:5000"),
    data: flag.text("d", "Directory to keep what is pushed in; without it everything is in memory and gone at the end"),
    htpasswd: flag.text(null, "File with the users that may do everything, as htpasswd -B writes it"),
    "no-delete": flag.bool(null, "Refuse to delete manifests and blobs"),
    "tls-cert": flag.text(null, "Certificate to show (PEM)"),
    "tls-key": flag.text(null, "Its key (PEM)"),
  },
  min: 0,
  max: 0,
  perform: async ({ options, ports: { serveRegistry, terminal, files } }) => {
    if (serveRegistry === null)
      throw new CliError("a registry cannot be started here: nothing on this machine can listen for others");
    const interrupted = Promise.withResolvers<void>();
    terminal.onSignal(() => interrupted.resolve());
    const served = await serveRegistry({
      address: options.address,
      directory: options.data === "" ? "" : files.resolve(options.data),
      htpasswd: options.htpasswd,
      certificate: options["tls-cert"],
      key: options["tls-key"],
      deletes: !options["no-delete"],
    });
    if (!served.isPrivate && options.htpasswd === "")
      await terminal.stderr("warning: everybody who reaches this address may push and delete; see --htpasswd\n");
    await terminal.stdout(`registry listens on ${served.address}, keeps ${options.data || "everything in memory"}\n`);
    await interrupted.promise;
    await served.end();
    return 0;
  },
});
