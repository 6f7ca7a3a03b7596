/** Building blocks of the request schemas. As in Docker, null and absent mean the zero value. */
import * as v from "valibot";

export const text = v.nullish(v.string(), "");
export const truth = v.nullish(v.boolean(), false);
export const integer = v.nullish(v.pipe(v.number(), v.safeInteger()), 0);
export const integerOrNull = v.nullish(v.pipe(v.number(), v.safeInteger()), null);
export const textOrNull = v.nullish(v.string(), null);
export const texts = v.nullish(v.array(v.string()), []);
export const textsOrNull = v.nullish(v.array(v.string()), null);
export const textMap = v.nullish(v.record(v.string(), v.string()), {});
/** {"80/tcp": {}}: a set, written as a map. */
export const textSet = v.pipe(
  v.nullish(v.record(v.string(), v.unknown()), {}),
  v.transform((set) => Object.keys(set)),
);
/** One word or a list of them; null is kept: it means "the image's". */
export const words = v.pipe(
  v.nullish(v.union([v.string(), v.array(v.string())]), null),
  v.transform((value) => (typeof value === "string" ? [value] : value)),
);
/** [rows, columns]. */
export const size = v.nullish(v.tuple([v.pipe(v.number(), v.safeInteger()), v.pipe(v.number(), v.safeInteger())]), [
  0, 0,
] as [number, number]);

/** An object that may be absent: then it is as if {} had been sent. */
export function part<T extends v.ObjectEntries>(entries: T) {
  return v.pipe(v.nullish(v.record(v.string(), v.unknown()), {}), v.object(entries));
}
