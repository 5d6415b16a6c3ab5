/**
 * The page of the documentation that lists every command, made from the same table as the help.
 *
 * @module
 */

import { COMMANDS } from "../commands.ts";
import { EXIT_MEANINGS } from "../errors.ts";
import { ENVIRONMENT, optionSyntax, optionsOf } from "../help.ts";
import { filler } from "../names.ts";
import { BYTES_FORMS } from "../text/amounts.ts";
import { markdownText } from "../text/table.ts";

/** @returns `docs/commands.md` */
export async function commandsPage(): Promise<string> {
  const fill = await filler();
  const sections = COMMANDS.map((command) => {
    const { name, operands, details, budgets, examples, exits } = command;
    const options = Object.entries(optionsOf(command)).map(
      ([option, spec]) =>
        `| \`${optionSyntax(option, spec).replaceAll("|", "\\|")}\` | ${markdownText(fill(spec.help))} |\n`,
    );
    const amounts = (budgets ?? []).map((b) => `\`${b.name}=${b.standard}\` (${b.counts})`);
    return (
      `## ${name}\n\n\`vmbind ${name} [OPTION]...${operands && ` ${operands}`}\`\n\n` +
      details.map((paragraph) => `${fill(paragraph).replace(/[<>]/g, "\\$&")}\n\n`).join("") +
      `\`\`\`sh\n${examples.map(({ line, does }) => `${fill(line)}  # ${fill(does)}\n`).join("")}\`\`\`\n\n` +
      `| option | |\n|---|---|\n${options.join("")}\n` +
      (amounts.length > 0 ? `Budgets: ${amounts.join(", ")}.\n\n` : "") +
      `Exit status: 0 ${exits[0]}, 1 ${exits[1]}.\n\n`
    );
  });
  const statuses = Object.entries(EXIT_MEANINGS).map(([status, meaning]) => `- ${status}: ${meaning}\n`);
  const variables = Object.entries(ENVIRONMENT).map(([name, does]) => `- \`${name}\`: ${does}\n`);
  return (
    `# The commands\n\nMade from the table that the command itself reads; \`vmbind COMMAND --help\` and \`man vmbind\` say the same.\n\n` +
    `Numbers of bytes are written as ${BYTES_FORMS}. A file named \`-\` is standard input. Exit statuses, where a command does not ` +
    `say it better:\n\n${statuses.join("")}\nVariables of the environment:\n\n${variables.join("")}\n${sections.join("")}`.trimEnd() +
    "\n"
  );
}
