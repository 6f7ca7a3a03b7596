/** A connected socket of the simulated kernel, as the command line and the daemon use connections. */
import { concat } from "../core/base/bytes.ts";
import { ByteReader } from "../cli/byte-reader.ts";
import type { Connection } from "../cli/http-client.ts";
import type { Fd } from "../backends/sim/kernel/sys.ts";
import { type EventLoop, isErrno } from "./event-loop.ts";

const readBytes = 64 * 1024;

export function connectionOf(loop: EventLoop, fd: Fd): Connection {
  let open = true;
  const next = async (): Promise<Uint8Array | null> => {
    if (!open) return null;
    try {
      const bytes = await loop.read(fd, readBytes);
      return bytes.length === 0 ? null : bytes;
    } catch (thrown) {
      if (isErrno(thrown, "ECONNRESET", "EBADF")) return null;
      throw thrown;
    }
  };
  return {
    reader: new ByteReader(next),
    write: (...pieces) => loop.write(fd, concat(pieces)),
    end: () => void loop.call((sys) => sys.shutdown(fd, "write")).catch(() => {}),
    close: () => {
      if (!open) return;
      open = false;
      void loop.close(fd).catch(() => {});
    },
  };
}
