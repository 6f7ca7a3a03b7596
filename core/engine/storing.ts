/** What the machine refused while images were stored, in words of its user. */
import { Errno } from "../base/errno.ts";
import { TsboxError } from "../base/error.ts";

export async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    const { errno, path } = thrown;
    throw new TsboxError("failed", `cannot store the image: ${thrown.message}`, { errno, path }, { cause: thrown });
  }
}
