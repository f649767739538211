// Which lines a bundle of one log holds, and how far its tree has to reach. Pure.
import type { LogSource } from './log-source.ts';
import type { Period, ReportModel } from '../report/report-model.ts';

/** Entries from ≤ seq < to. */
export interface SeqRange {
  readonly from: number;
  readonly to: number;
}

export interface LinePlan {
  /** Entries whose lines go in, ascending and apart from each other. */
  readonly kept: readonly SeqRange[];
  /** Entries in all: below it, what is not kept is left out. */
  readonly end: number;
  /** Sizes whose root has to come out: no subtree that is left out reaches beyond one. */
  readonly stops: readonly number[];
}

type Anchors = Pick<LogSource, 'size' | 'receipts' | 'checkpoints' | 'timestamps'>;

/** Sizes ≥ `least` that a document of the source speaks of; of those beyond `span` only the nearest and the newest. */
function sizesOf(documents: readonly { readonly size: number }[], span: SeqRange, size: number): number[] {
  const sizes = [...new Set(documents.map((one) => one.size))].filter((at) => at > span.from && at <= size);
  const within = sizes.filter((at) => at <= span.to);
  const beyond = sizes.filter((at) => at > span.to);
  return beyond.length === 0 ? within : [...within, Math.min(...beyond), Math.max(...beyond)];
}

/**
 * Without a period: all that is there. With one: the entries of the period, entry 0, and those before that the report rests on;
 * and of the rest so many hashes as prove them under the newest receipt and the newest checkpoint.
 *
 * @param missing entries without a line, ascending
 * @param trustedUntil size from which on the log is revoked, whose root has to come out in any case; null where it is not
 */
export function planLines(
  source: Anchors,
  model: ReportModel,
  period: Period,
  missing: readonly SeqRange[],
  trustedUntil: number | null = null,
): LinePlan {
  const isWhole = period.from === null && period.to === null;
  const span: SeqRange = isWhole
    ? { from: 0, to: source.size }
    : model.span === null
      ? { from: 0, to: 1 }
      : { from: model.span.first, to: model.span.last + 1 };
  const single = (seq: number): SeqRange => ({ from: seq, to: seq + 1 });
  const wanted = isWhole ? [span] : [single(0), span, ...model.cited.map(single)];
  const kept = without(merged(wanted), missing);
  const anchors = [source.receipts, source.checkpoints, source.timestamps];
  const cut = trustedUntil === null || trustedUntil === 0 || trustedUntil > source.size ? [] : [trustedUntil];
  const stops = [
    ...new Set([
      ...anchors.flatMap((documents) => sizesOf(documents, isWhole ? { from: 0, to: source.size } : span, source.size)),
      ...cut,
    ]),
  ];
  const end = isWhole ? source.size : Math.max(kept.at(-1)?.to ?? 0, ...stops);
  return { kept, end: Math.min(end, source.size), stops: stops.toSorted((a, b) => a - b) };
}

function merged(ranges: readonly SeqRange[]): SeqRange[] {
  const out: { from: number; to: number }[] = [];
  for (const { from, to } of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = out.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else out.push({ from, to });
  }
  return out;
}

function without(ranges: readonly SeqRange[], missing: readonly SeqRange[]): SeqRange[] {
  return missing.reduce(
    (left, gone) =>
      left.flatMap(({ from, to }) =>
        [
          { from, to: Math.min(to, gone.from) },
          { from: Math.max(from, gone.to), to },
        ].filter((part) => part.from < part.to),
      ),
    [...ranges],
  );
}

/** The size that no subtree which begins at `seq` may reach beyond, where `seq` is left out. */
export function stopAfter(plan: LinePlan, seq: number): number {
  const next = plan.kept.find((range) => range.from > seq)?.from;
  // The leaf right before a line stands for itself: the line names it.
  const edge = next === undefined ? plan.end : next - 1 > seq ? next - 1 : next;
  return Math.min(edge, plan.end, plan.stops.find((stop) => stop > seq) ?? plan.end);
}
