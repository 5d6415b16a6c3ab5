/**
 * Completion for zsh.
 *
 * @module
 */

import type { Offer, OfferedCommand, OfferedOption } from "./words.ts";

/**
 * @param commands - what there is
 * @returns the script: for `eval`, or as a file `_vmbind` in a folder of `fpath`
 */
export function zshCompletion(commands: readonly OfferedCommand[]): string {
  const names = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}\n`);
  const cases = commands.map(({ name, options, operands, syntax }) => {
    const lines = options.map(argument);
    if (syntax !== "") lines.push(quoted(`*:${escaped(syntax)}:${action(operands)}`));
    return `      ${name}) _arguments ${lines.join(" ")} ;;\n`;
  });
  return `#compdef vmbind
# Completion of vmbind for zsh, made by: vmbind completion zsh
_vmbind() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a commands=(
${names.join("")}    'help:what a command does'
  )
  _arguments -C '(- *)--help[print the help]' '(- *)--version[print the version]' '1:command:->command' '*::word:->words'
  case $state in
    command) _describe -t commands command commands ;;
    words) case $words[1] in
      help) _describe -t commands command commands ;;
${cases.join("")}    esac ;;
  esac
}
if [[ \${funcstack[1]} == _vmbind ]]; then _vmbind "$@"; else compdef _vmbind vmbind; fi
`;
}

function argument({ name, value, offer, multiple, help }: OfferedOption): string {
  const what = value === null ? "" : `:${escaped(value)}:${action(offer)}`;
  return quoted(`${multiple ? "*" : ""}${name}[${escaped(help)}]${what}`);
}

function action({ names, files }: Offer): string {
  if (files && names.length > 0) {
    return `{_alternative "names:name:(${names.join(" ")})" "files:file:_files"}`;
  }
  if (files) return "_files";
  return names.length > 0 ? `(${names.join(" ")})` : " ";
}

function escaped(text: string): string {
  return text.replace(/[\\[\]:]/g, (sign) => `\\${sign}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
