/** The results for people: one line a row, and under it whatever did not pass, with the reason. */

const seconds = (value) => `${value.toFixed(value < 10 ? 1 : 0)} s`;

/** Columns as wide as their widest cell; numbers to the right. */
function columns(rows, right) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (right.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join("  ")
      .trimEnd(),
  );
}

/**
 * @param report - what `live-oracle.json` holds
 * @returns the table
 */
export function tableOf({ testedWith, results }) {
  const heading = ["what", "on", "passed", "of", "least", "time", ""];
  const rows = results.map(({ name, device, passed, total, least, seconds: time, ok }) => [
    name,
    device,
    String(passed),
    String(total),
    String(least),
    seconds(time),
    ok ? "ok" : "FAIL",
  ]);
  const [first, ...lines] = columns([heading, ...rows], new Set([2, 3, 4, 5]));
  const out = [
    `Mesa ${testedWith.mesa}, igt ${testedWith.igt}, qemu ${testedWith.qemu}, node ${testedWith.node}`,
    "",
    first,
  ];
  lines.forEach((line, i) => {
    out.push(line);
    const { failures, again = [], said } = results[i];
    for (const { name, result, reason } of failures) out.push(`    ${name}: ${result}: ${reason}`);
    if (again.length > 0) out.push(`    not at the first try: ${again.join(", ")}`);
    if (said) out.push(...said.split("\n").map((text) => `    ${text}`));
  });
  return `${out.join("\n")}\n`;
}
