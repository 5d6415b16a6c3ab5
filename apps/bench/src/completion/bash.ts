/**
 * Completion for bash, 3.2 (which macOS has) and later.
 *
 * @module
 */

import type { Offer, OfferedCommand } from "./words.ts";

/**
 * @param commands - what there is
 * @returns the script
 */
export function bashCompletion(commands: readonly OfferedCommand[]): string {
  const names = [...commands.map(({ name }) => name), "help", "--help", "--version"].join(" ");
  const values = commands.flatMap(({ name, options }) =>
    options
      .filter(({ value }) => value !== null)
      .map((option) => `    ${name}:${option.name}) ${say(option.offer)}; return ;;\n`),
  );
  const flags = commands.map(
    ({ name, options }) =>
      `      ${name}) _vmbind_words "${options.map((option) => option.name).join(" ")}" ;;\n`,
  );
  const operands = commands.map(({ name, operands: offer }) => `    ${name}) ${say(offer)} ;;\n`);
  return `# Completion of vmbind for bash, made by: vmbind completion bash
_vmbind_words() {
  COMPREPLY+=($(compgen -W "$1" -- "$cur"))
  case $1 in *=) compopt -o nospace 2>/dev/null ;; esac
}
_vmbind_files() {
  local IFS=$'\\n'
  COMPREPLY+=($(compgen -f -- "$cur"))
  compopt -o filenames 2>/dev/null
}
_vmbind() {
  local cur=\${COMP_WORDS[COMP_CWORD]} before=$((COMP_CWORD - 1)) command= i
  # bash makes --name=value three words.
  if [ "$cur" = "=" ]; then cur=; elif [ "\${COMP_WORDS[before]}" = "=" ]; then before=$((before - 1)); fi
  local prev=\${COMP_WORDS[before]}
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      -*) ;;
      *) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  if [ -z "$command" ]; then _vmbind_words "${names}"; return; fi
  case $command:$prev in
${values.join("")}  esac
  case $cur in
    -*) case $command in
${flags.join("")}    esac; return ;;
  esac
  case $command in
    help) _vmbind_words "${commands.map(({ name }) => name).join(" ")}" ;;
${operands.join("")}  esac
}
complete -F _vmbind vmbind
`;
}

function say({ names, files }: Offer): string {
  const calls = [
    ...(names.length > 0 ? [`_vmbind_words "${names.join(" ")}"`] : []),
    ...(files ? ["_vmbind_files"] : []),
  ];
  return calls.join("; ") || ":";
}
