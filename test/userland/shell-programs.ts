/**
 * Random shell programs: words with every expansion, commands with every construct of POSIX's grammar that needs no
 * file and no clock. They always end: loops count, functions do not call each other. What they print is determined, so
 * that two shells can be compared.
 */
import fc from "fast-check";

const variable = fc.constantFrom("a", "b", "c");
const literal = fc.constantFrom("x", "yz", "1", "-", "0", "a=b", "/p/q.r", "..", "w1", "%", "+", ",", ":");
const quoted = fc.constantFrom(
  "' s '",
  '"d  d"',
  "\\ ",
  "''",
  '""',
  "'$a'",
  '"\\$a"',
  "\\\\",
  "'\"'",
  "'a\nb'",
  "~",
  "'*'",
);
/** Lines of here-documents: which one of two with the same end is meant would be a riddle. */
const hereLine = fc.constantFrom(
  "x",
  "$a",
  "\\$a",
  "'$b'",
  '"$c"',
  "$((1+2))",
  "${a:-d e}",
  "`echo b`",
  '$(echo "q  r")',
  "a\\\\b",
  "*",
);
const pattern = fc.constantFrom("*", "?", "x*", "*x", "[a-c]", "[!x]", "''", "?z", "*.*", "\\*", "'*'", "1|2");
const name = fc.constantFrom("f", "g");
const count = fc.constantFrom("0", "1", "2", "3");

/** An arithmetic expression; division is by what is not zero. */
const arithmetic: fc.Arbitrary<string> = fc.letrec<{ all: string }>((tie) => ({
  all: fc.oneof(
    { maxDepth: 3, depthIdentifier: "arithmetic" },
    fc.constantFrom("0", "1", "7", "010", "0x1f", "a", "$b", "$((2))"),
    fc
      .tuple(
        tie("all"),
        fc.constantFrom("+", "-", "*", "<", "<=", "==", "!=", "&&", "||", "&", "|", "^", "<<1+"),
        tie("all"),
      )
      .map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
    fc.tuple(tie("all"), fc.constantFrom("/", "%"), fc.constantFrom("3", "-2")).map((parts) => `(${parts.join(" ")})`),
    fc.tuple(fc.constantFrom("-", "!", "~", "+"), tie("all")).map(([operator, operand]) => `${operator} (${operand})`),
    fc.tuple(tie("all"), tie("all"), tie("all")).map(([test, yes, no]) => `(${test}) ? (${yes}) : (${no})`),
    fc.tuple(fc.constantFrom("=", "+=", "-="), tie("all")).map(([operator, value]) => `(c ${operator} (${value}))`),
  ),
})).all;

const numbered = fc.tuple(variable, fc.constantFrom("0", "3", "-1", "12")).map(([of, value]) => `${of}=${value}`);

interface Grammar {
  word: string;
  command: string;
  list: string;
}

const grammar = fc.letrec<Grammar>((tie) => {
  const word = tie("word") as fc.Arbitrary<string>;
  const command = tie("command") as fc.Arbitrary<string>;
  const list = tie("list") as fc.Arbitrary<string>;
  const words = fc.array(word, { maxLength: 3 }).map((all) => all.join(" "));
  const expansion = fc.oneof(
    variable.map((of) => `$${of}`),
    variable.map((of) => `"\${${of}}"`),
    fc.constantFrom("$#", "$1", "$*", '"$@"', '"$*"', "$@", "${2-none}", "$?", "${#a}", "${10}", '"${1+set}"'),
    fc
      .tuple(variable, fc.constantFrom("-", ":-", "+", ":+", "=", ":="), word)
      .map(([of, operator, word]) => `\${${of}${operator}${word}}`),
    fc
      .tuple(variable, fc.constantFrom("#", "##", "%", "%%"), pattern)
      .map(([of, operator, each]) => `\${${of}${operator}${each}}`),
    fc.tuple(numbered, arithmetic).map(([set, expression]) => `$(${set}; b=2; c=4; echo $((${expression})))`),
    command.map((each) => `$( ${each})`),
    command.map((each) => `"$( ${each})"`),
  );
  return {
    word: fc.oneof(
      { maxDepth: 4, depthIdentifier: "word" },
      literal,
      quoted,
      expansion,
      fc.tuple(word, word).map((parts) => parts.join("")),
    ),
    command: fc.oneof(
      { maxDepth: 4, depthIdentifier: "command" },
      words.map((all) => `printf '<%s>' ${all}`),
      words.map((all) => `echo ${all}`),
      fc.tuple(variable, word).map(([of, word]) => `${of}=${word}`),
      words.map((all) => `set -- ${all}`),
      fc.constantFrom(
        ":",
        "true",
        "false",
        "shift 2>/dev/null",
        "unset a",
        "IFS=:",
        "IFS=' x'",
        "IFS=",
        "unset IFS",
        "set -f",
        "set +f",
      ),
      fc
        .tuple(word, fc.constantFrom("=", "!="), word)
        .map(([a, operator, b]) => `[ "${inQuotes(a)}" ${operator} "${inQuotes(b)}" ]`),
      fc.tuple(fc.constantFrom("-n", "-z", "!"), word).map(([operator, word]) => `[ ${operator} "${inQuotes(word)}" ]`),
      fc
        .tuple(command, fc.constantFrom("&&", "||", ";"), command)
        .map(([a, operator, b]) => `{ ${a} ${operator} ${b}; }`),
      command.map((command) => `! ${command.startsWith("!") ? `{ ${command}; }` : command}`),
      list.map((each) => `( ${each})`),
      list.map((list) => `{ ${list}\n}`),
      fc.tuple(command, list, list).map(([test, yes, no]) => `if ${test}; then ${yes}\nelse ${no}\nfi`),
      fc.tuple(variable, words, list).map(([of, all, body]) => `for ${of} in ${all}; do ${body}\ndone`),
      fc.tuple(count, list).map(([times, body]) => `i=0; while [ $i -lt ${times} ]; do i=$((i+1)); ${body}\ndone`),
      fc
        .tuple(word, pattern, list, pattern, list)
        .map(
          ([word, first, yes, second, other]) => `case ${word} in ${first}) ${yes}\n;; ${second}) ${other}\n;; esac`,
        ),
      fc
        .tuple(
          command,
          fc.constantFrom("read a", "read -r a b", "while read c; do echo [$c]; done", "{ IFS= read -r b; echo $b; }"),
        )
        .map((parts) => `{ ${parts.join("; } | { ")}; echo "$a/$b"; }`),
      fc
        .tuple(hereLine, fc.constantFrom("E", "'E'"))
        .map(([text, end]) => `{ while read -r a; do echo "$a"; done <<${end}\n${text}\nE\n}`),
      fc.tuple(name, words).map(([called, all]) => `${called} ${all}`),
      fc.constantFrom("break", "continue", "break 2", "return 3"),
      command.map((command) => `eval '${command.replaceAll("'", "'\\''")}'`),
      fc
        .tuple(variable, word, command)
        .map(([of, word, command]) => `${of}=${word} eval '${command.replaceAll("'", "'\\''")}'`),
      command.map((command) => `trap '${command.replaceAll("'", "'\\''")}' EXIT`),
    ),
    list: fc.array(command, { minLength: 1, maxLength: 3 }).map((commands) => commands.join("\n")),
  };
});

/** A word that can stand within double quotes. */
function inQuotes(word: string): string {
  return word
    .replace(/["\\`]/g, "")
    .replaceAll("$(", "")
    .replaceAll("${", "")
    .replace(/\$(?=$)/, "");
}

export const shellProgram: fc.Arbitrary<string> = fc
  .tuple(fc.array(grammar.list, { minLength: 2, maxLength: 2 }), fc.boolean(), grammar.list)
  .map(([[first = ":", second = ":"], strict, body]) =>
    [
      `f() { local a=1\n${first.replace(/(?<!-)\bf\b/g, "g")}\n}`,
      `g() {\n${second.replace(/(?<!-)\b[fg]\b/g, ":")}\n}`,
      "a=; b='x y'; c=7; set -- p 'q r'",
      strict ? "set -e" : ":",
      body,
    ].join("\n"),
  );
