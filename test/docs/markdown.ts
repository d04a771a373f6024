import { readdirSync } from 'node:fs';
import path from 'node:path';

/** The documents of the repository, relative to it, with `/`. */
export function markdownFiles(root: string): string[] {
  const below = readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file.replaceAll(path.sep, '/')}`);
  const top = readdirSync(root).filter((file) => file.endsWith('.md'));
  return [...top, ...below].sort();
}

/** The contents of the fenced code blocks in a language, in order. */
export function codeBlocks(text: string, language: string): string[] {
  return fences(text)
    .filter((fence) => fence.language === language)
    .map((fence) => fence.lines.join('\n'));
}

/** A document without its code blocks and code spans. */
export function withoutCode(text: string): string {
  const inside = new Set(fences(text).flatMap(({ from, to }) => range(from, to)));
  const lines = text.split('\n').filter((_, index) => !inside.has(index));
  return lines.join('\n').replace(/`[^`\n]*`/g, '');
}

/** The anchors of a document's headings, as GitHub makes them. */
export function anchors(text: string): string[] {
  const inside = new Set(fences(text).flatMap(({ from, to }) => range(from, to)));
  return text
    .split('\n')
    .filter((line, index) => !inside.has(index) && /^#{1,6} /.test(line))
    .map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );
}

interface Fence {
  readonly language: string;
  readonly lines: readonly string[];
  /** The lines of the fence itself, counted from 0. */
  readonly from: number;
  readonly to: number;
}

function fences(text: string): Fence[] {
  const all = text.split('\n');
  const found: Fence[] = [];
  let from = -1;
  for (const [index, line] of all.entries()) {
    if (!line.startsWith('```')) continue;
    if (from === -1) {
      from = index;
      continue;
    }
    const language = (all[from] ?? '').slice(3).trim();
    found.push({ language, lines: all.slice(from + 1, index), from, to: index });
    from = -1;
  }
  return found;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, offset) => from + offset);
}
