/**
 * What a server that answers 401 asks for: the challenges of WWW-Authenticate (RFC 9110, 11.6.1). One
 * header may hold several, and several headers may be joined by commas; so a comma may stand between
 * two challenges or between two parameters, and only what follows tells.
 */
export interface Challenge {
  /** In lower case: "basic", "bearer". */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const tokenForm = new RegExp(token, "y");
const parameterForm = new RegExp(`(${token})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))`, "y");
const token68Form = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
const gap = /[ \t,]*/y;
const lengthMax = 16 * 1024;

/** What cannot be understood ends the list: the challenges before it count. */
export function parseChallenges(header: string): Challenge[] {
  const reader = new Reader(header.slice(0, lengthMax));
  const challenges: Challenge[] = [];
  for (let next = challengeAt(reader); next !== null; next = challengeAt(reader)) challenges.push(next);
  return challenges;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(form: RegExp): RegExpExecArray | null {
    form.lastIndex = this.#at;
    const match = form.exec(this.#text);
    if (match !== null) this.#at += match[0].length;
    return match;
  }
}

function challengeAt(reader: Reader): Challenge | null {
  reader.take(gap);
  const scheme = reader.take(tokenForm)?.[0].toLowerCase();
  if (scheme === undefined) return null;
  const parameters: Record<string, string> = {};
  reader.take(gap);
  for (let pair = reader.take(parameterForm); pair !== null; pair = reader.take(parameterForm)) {
    const [, name = "", quoted, bare = ""] = pair;
    parameters[name.toLowerCase()] = quoted === undefined ? bare : quoted.replace(/\\(.)/g, "$1");
    reader.take(gap);
  }
  if (Object.keys(parameters).length === 0 && !isScheme(scheme)) reader.take(token68Form);
  return { scheme, parameters };
}

/** Schemes that may come without anything; after any other a token68 may stand. */
function isScheme(scheme: string): boolean {
  return scheme === "basic" || scheme === "bearer";
}
