/** Names of containers: which are valid, and how one is made up when the user gives none. */
import { TsboxError } from "../base/error.ts";
import type { Random } from "../base/ports.ts";

const form = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** The name without the slash the wire puts before it. Throws TsboxError "invalid" in docker's words. */
export function parseName(text: string): string {
  const name = text.startsWith("/") ? text.slice(1) : text;
  if (form.test(name)) return name;
  throw new TsboxError("invalid", `Invalid container name (${text}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
}

export function nameTaken(name: string, by: string): TsboxError {
  return new TsboxError(
    "conflict",
    `Conflict. The container name "/${name}" is already in use by container "${by}". ` +
      "You have to remove (or rename) that container to be able to reuse that name.",
  );
}

const adjectives = (
  "able airy ample apt avid bold brave breezy brief bright brisk calm candid chatty cheery civil clear clever cosy " +
  "crisp curious daring deft eager earnest easy fair fancy fast fearless fine fit fleet fond frank free fresh gentle " +
  "glad golden grand handy happy hardy honest humble jolly keen kind lively loyal lucid lucky mellow merry mild modest " +
  "neat nimble noble open patient placid plucky polite prompt proud quick quiet rapid ready sharp shiny silent simple " +
  "smooth snug sober steady sturdy subtle sunny swift tender tidy vivid warm wise witty zesty"
).split(" ");

/** People to whom we owe computers, their theory, and the systems containers stand on. */
const surnames = (
  "aho allen bachman backus baran bartik blum boole borg brooks cerf church clarke cocke codd conway cook corbato dahl " +
  "davies diffie dijkstra easley engelbart estrin feinler floyd goldberg gosling gray hamilton hamming haibt hellman " +
  "hoare holberton holmes hopcroft hopper huffman iverson jennings joy kahan kahn karp kay kernighan kilburn kleene " +
  "kleinrock knuth lamport lampson lampe landin liskov lovelace mccarthy mcilroy meltzer merkle milner minsky naur " +
  "neumann newell noyce nygaard ossanna pascal perlis perlman postel rabin randell reynolds ritchie rivest saltzer " +
  "scott shamir shannon shaw simon snyder stallings stearns strachey sutherland tarjan thacker thompson torvalds turing " +
  "ullman wheeler wilkes wirth wozniak yao zuse"
).split(" ");

/** "brave_hopper"; from the third try on with a digit, "brave_hopper7". */
export function makeUpName(random: Random, isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
    const name = `${pick(adjectives, a)}_${pick(surnames, b * 256 + c)}${attempt < 2 ? "" : (d % 10) + 10 * (attempt - 2)}`;
    if (!isTaken(name)) return name;
  }
}

function pick(words: readonly string[], number: number): string {
  return words[number % words.length] ?? "";
}
