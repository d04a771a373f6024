/** A markdown table with its columns padded to one width, as the formatter of this repository writes them. */
export function alignedTable(markdown: string): string {
  const rows = markdown
    .trimEnd()
    .split('\n')
    .map((line) =>
      line
        .replace(/^\||\|$/g, '')
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
  const [head = [], , ...body] = rows;
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...body].map((cells) => cells[column]?.length ?? 0)),
  );
  const write = (cells: readonly string[], filler: string) =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width, filler)).join(' | ')} |`;
  return [write(head, ' '), write([], '-'), ...body.map((cells) => write(cells, ' '))].join('\n');
}
