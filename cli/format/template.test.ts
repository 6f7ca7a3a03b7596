/** What Go prints is recorded with the stock client in test/cli; here are the rules that no inspection reaches. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compileTemplate } from "./template.ts";

const data = {
  Name: "/fx",
  Config: { Cmd: ["sleep", "9"], Labels: { b: "2", a: "1" }, Env: null },
  State: { Running: true, ExitCode: 0 },
  Mounts: [],
};

const rendered: Readonly<Record<string, string>> = {
  "{{.Name}}": "/fx",
  "a {{ .Name }} b": "a /fx b",
  "{{.Config.Labels}} {{.Config.Cmd}}": "map[a:1 b:2] [sleep 9]",
  "{{.Config.Env}}": "<no value>",
  "{{json .Config}}": '{"Cmd":["sleep","9"],"Labels":{"b":"2","a":"1"},"Env":null}',
  '{{index .Config.Labels "b"}}{{index .Config.Cmd 0}}': "2sleep",
  "{{range .Config.Cmd}}<{{.}}>{{end}}": "<sleep><9>",
  "{{range $i, $c := .Config.Cmd}}{{$i}}={{$c}};{{end}}": "0=sleep;1=9;",
  "{{range .Mounts}}x{{else}}none{{end}}": "none",
  "{{if .State.Running}}up{{else if .Name}}named{{else}}down{{end}}": "up",
  "{{if not .State.Running}}up{{else if .Name}}named{{end}}": "named",
  "{{with .State}}{{.ExitCode}} {{$.Name}}{{end}}": "0 /fx",
  "{{$x := .Name}}{{if .State.Running}}{{$x = 7}}{{end}}{{$x}}": "7",
  "x {{- .Name -}} y": "x/fxy",
  "{{/* nothing */}}.": ".",
  '{{printf "%s|%5d|%-4s|%q|%.2f" .Name 7 "a" "b" 1.5}}': '/fx|    7|a   |"b"|1.50',
  '{{.Name | upper | printf "%s!"}}': "/FX!",
  "{{(index .Config.Cmd 1)}}{{len .Config.Cmd}}": "92",
  '{{eq .State.ExitCode 0}} {{ne .Name "x"}} {{lt 1 2}} {{and 1 0}} {{or "" "z"}}': "true true true 0 z",
  "{{join .Config.Cmd `,`}} {{split .Name `f`}} {{title `ab cd`}} {{truncate `abc` 2}} {{pad `x` 1 2}}.":
    "sleep,9 [/ x] Ab Cd ab  x  .",
  '{{"}}"}}': "}}",
};
for (const [source, text] of Object.entries(rendered))
  test(`${source} gives ${text}`, () => assert.equal(compileTemplate(source).render(data), text));

const refused: Readonly<Record<string, string>> = {
  "{{.Nope}}": 'template: :1:2: executing "" at <.Nope>: map has no entry for key "Nope"',
  "{{ .State.Nope }}": 'template: :1:9: executing "" at <.State.Nope>: map has no entry for key "Nope"',
  "{{.Name": "template: :1: unclosed action",
  "{{nope}}": 'template: :1: function "nope" not defined',
  "{{if .Name}}x": "template: :1: unexpected EOF",
  "{{end}}": "template: :1: unexpected {{end}}",
  "{{index .Config.Cmd 5}}":
    'template: :1:2: executing "" at <index .Config.Cmd 5>: error calling index: index out of range: 5',
};
for (const [source, message] of Object.entries(refused))
  test(`${source} is refused: ${message}`, () => {
    assert.throws(() => compileTemplate(source).render(data), { name: "TemplateError", message });
  });
