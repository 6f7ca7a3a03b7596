/** The files of the simulated host beyond what its kernel brings: programs, and who it says it is. */
import type { HostFiles } from "../backends/sim/host-files.ts";
import { programNames } from "../backends/sim/userland/programs.ts";
import { encodeText } from "../core/base/bytes.ts";

/** An ELF file by which the kernel knows that a stand-in is meant (kernel/exec.ts). */
const busybox = encodeText("\u007fELF BusyBox v1.35.0, simulated: what it does is in backends/sim/userland");
const ours = encodeText("\u007fELF tsbox, simulated: what it does is in cli");

const osRelease = 'PRETTY_NAME="tsbox simulated host"\nNAME="tsbox"\nID=tsbox\n';
const profile = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n";

const motd = `Welcome to tsbox: a simulated Linux host, in this page and nowhere else.

  tsbox run hello       a container that tells what it sees of its own isolation
  tsbox run -it tsbox/base sh
                        a shell in one; alpine, ubuntu and httpd are here too, small
                        stand-ins in which TypeScript plays what Linux programs do
  tsbox --help          docker works too, it is the same program
  Drop an image archive (docker save) on this page to load it; download FILE
  gives you one back: docker save -o box.tar IMAGE && download box.tar

`;

export const clientNames: readonly string[] = ["tsbox", "docker"];
/** Gives files to whoever is at the host's console. */
export const downloadName = "download";

export function addRootFiles(files: HostFiles): void {
  for (const directory of ["/bin", "/usr/bin", "/var/log"]) files.makeDirectory(directory);
  files.install("/bin/busybox", busybox);
  const { fileSystem, inode } = files.at("/bin");
  for (const name of programNames.filter((each) => each !== "busybox"))
    fileSystem.create(inode, name, { kind: "symlink", mode: 0o777, uid: 0, gid: 0, target: "busybox" });
  for (const name of [...clientNames, downloadName]) files.install(`/usr/bin/${name}`, ours);
  files.replace("/etc/os-release", encodeText(osRelease), 0o644);
  files.replace("/etc/motd", encodeText(motd), 0o644);
  files.replace("/etc/profile", encodeText(profile), 0o644);
}
