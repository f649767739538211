// What is done with the files of a stick: taken, refused with one plain line per mistake, or only answered with how things stand. Pure.
import * as v from 'valibot';
import type { ErrorCode } from '../errors/codes.ts';

/** The files of the stick, as they were copied, judged by who knows their formats. */
export type JudgedFiles =
  | { readonly verdict: 'missing' }
  | {
      readonly verdict: 'mistakes';
      readonly lines: readonly string[];
      /** Nothing is wrong but that the token was overwritten. */
      readonly onlyUsed: boolean;
    }
  | { readonly verdict: 'good'; readonly rootSha256: string; readonly partnerId: string; readonly centralUrl: string };

export interface StickKnown {
  /** Who the daemon says that it is; null before it is enrolled. */
  readonly enrolled: { readonly applianceId: string; readonly siteId: string } | null;
  /** SHA-256 over the files that were taken last, without their token; null before the first. */
  readonly taken: string | null;
  /** The trust root that the appliance was set up for: by root's configuration, or by the installer's files. */
  readonly anchored: string | null;
}

export type StickVerdict =
  | { readonly act: 'take' }
  /** The stick that was taken before: it is told how things stand. */
  | { readonly act: 'report' }
  | {
      readonly act: 'refuse';
      readonly code: Extract<
        ErrorCode,
        'already_enrolled' | 'provision_invalid' | 'provision_missing' | 'stick_other_partner'
      >;
      /** For who reads the stick on a PC: one plain line each. */
      readonly lines: readonly string[];
    };

/**
 * The root that a stick has to bring; null where any will do. Root's configuration comes first, then what the installer left: that stays
 * when a stick of the same partner is taken, whose files lie in the place of the installer's from then on.
 */
export function anchorOf(known: {
  readonly configured: string | null;
  /** Of the installer's files, written down when the first stick took their place. */
  readonly kept: string | null;
  readonly taken: string | null;
  /** Of the files that lie in place now; null where they are not sound. */
  readonly inPlace: () => string | null;
}): string | null {
  return known.configured ?? known.kept ?? (known.taken === null ? known.inPlace() : null);
}

/** A stick may have thousands of mistakes; nobody reads more, and the screen of the machine takes no more. */
const MOST_LINES = 20;

/** @param digest SHA-256 over the files of this stick without their token */
export function judgeStick(files: JudgedFiles, digest: string, known: StickKnown): StickVerdict {
  const { enrolled, taken, anchored } = known;
  const isOurs = taken === digest;
  if (enrolled !== null) {
    if (isOurs) return { act: 'report' };
    const who = `${printable(enrolled.applianceId)} at site ${printable(enrolled.siteId)}`;
    return {
      act: 'refuse',
      code: 'already_enrolled',
      lines: [
        `This appliance is enrolled already, as ${who}. Nothing was taken from this stick.`,
        'Is it to serve another site? Then install it anew; where somebody can log in, compliance-agent provision reset will do.',
      ],
    };
  }
  switch (files.verdict) {
    case 'missing':
      return {
        act: 'refuse',
        code: 'provision_missing',
        lines: ['clinic.yaml: there is no such file in the top folder of this stick'],
      };
    case 'mistakes':
      if (files.onlyUsed && isOurs) return { act: 'report' };
      return { act: 'refuse', code: 'provision_invalid', lines: firstOf(files.lines) };
    case 'good':
      if (anchored === null || anchored === files.rootSha256) return { act: 'take' };
      return {
        act: 'refuse',
        code: 'stick_other_partner',
        lines: [
          `root.json: this appliance was made for another partner than ${files.partnerId} (their trust root has another digest)`,
        ],
      };
  }
}

function firstOf(lines: readonly string[]): readonly string[] {
  const left = lines.length - MOST_LINES;
  return left <= 0 ? lines : [...lines.slice(0, MOST_LINES), `and ${left} more mistakes`];
}

const MAX_TEXT = 400;
/** What the daemon says is shown on, and written to a stick: one line of what can be printed. */
const printable = (text: string): string => text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, MAX_TEXT);

export interface StickStanding {
  readonly enrolled: StickKnown['enrolled'];
  readonly reason: { readonly code: string; readonly sentence: string; readonly remedy: string } | null;
}

const sayings = v.looseObject({ code: v.string(), sentence: v.string(), remedy: v.string() });
const statusSchema = v.looseObject({
  appliance_id: v.nullish(v.string(), null),
  site_id: v.nullish(v.string(), null),
  blocking_reason: v.fallback(v.nullish(sayings, null), null),
});

/** What the daemon wrote of itself; null for what is none of its status files. */
export function parseStanding(text: string): StickStanding | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const read = v.safeParse(statusSchema, value);
  if (!read.success) return null;
  const { appliance_id: applianceId, site_id: siteId, blocking_reason: reason } = read.output;
  return { enrolled: applianceId !== null && siteId !== null ? { applianceId, siteId } : null, reason };
}

/** How things stand with the appliance that took this stick. */
export function standingLines({ enrolled, reason }: StickStanding): string[] {
  const lines =
    enrolled === null
      ? ['This appliance has taken what is on this stick. It is not enrolled yet.']
      : [`Enrolled as ${printable(enrolled.applianceId)} at site ${printable(enrolled.siteId)}.`];
  if (reason !== null) {
    lines.push(`${printable(reason.sentence)} (${printable(reason.code)})`, `What to do: ${printable(reason.remedy)}.`);
  }
  return lines;
}
