// What a helper that heals is asked, and how an attack on it is written down.
import type { ErrorCode } from '../../agent/errors/codes.ts';
import type { HandedFiles } from '../../agent/helpers/heal-inputs.ts';
import type { HealAct } from '../../agent/helpers/heal-request.ts';
import type { ActContext } from '../../agent/helpers/judge-act.ts';
import type { HealSite } from '../support/heal-fixtures.ts';

export interface Asked {
  readonly act: HealAct;
  readonly files: HandedFiles;
  readonly context: ActContext;
}

export interface HealAttack {
  /** Also the row of docs/threat-model.md. */
  readonly what: string;
  readonly code: ErrorCode;
  readonly ask: (site: HealSite, asked: Asked) => Partial<Asked>;
}

/** A digest of nothing that is there. */
export const OTHER_SHA256 = 'e7'.repeat(32);
export const OPEN_WINDOW = { windows: [{ days: ['mon' as const], start: '11:00', end: '13:00' }] };

/** A helper that holds other documents. */
export const holding = (
  asked: Asked,
  lines: Partial<ActContext['lines']>,
  more: Partial<ActContext> = {},
): Partial<Asked> => ({
  context: { ...asked.context, ...more, lines: { ...asked.context.lines, ...lines } },
});
