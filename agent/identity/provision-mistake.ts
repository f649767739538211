// What is wrong with provisioning files, one plain line each: they are read on a stick, by people without our manual.
import { AgentError } from '../errors/agent-error.ts';

export type MistakeCode =
  | 'file_missing'
  | 'file_unreadable'
  | 'yaml_syntax'
  | 'key_unknown'
  | 'key_missing'
  | 'key_duplicate'
  | 'url_not_https'
  | 'token_malformed'
  | 'token_used'
  | 'digest_malformed'
  | 'pins_malformed'
  | 'root_malformed'
  | 'root_other_digest'
  | 'ca_malformed'
  | 'ca_not_pinned';

export interface Mistake {
  readonly code: MistakeCode;
  /** File name alone, as it stands on the stick. */
  readonly file: string;
  /** 1-based; null where the whole file is meant. */
  readonly line: number | null;
  /** One sentence without the place. Never holds a value from the file that may be secret. */
  readonly sentence: string;
}

/** `clinic.yaml:3: …` */
export function mistakeLine(mistake: Mistake): string {
  const at = mistake.line === null ? mistake.file : `${mistake.file}:${mistake.line}`;
  return `${at}: ${mistake.sentence}`;
}

/** All mistakes at once, in the order of the files. */
export class ProvisionError extends AgentError<'provision_invalid'> {
  readonly mistakes: readonly Mistake[];

  constructor(dir: string, mistakes: readonly Mistake[]) {
    const lines = mistakes.map(mistakeLine);
    super('provision_invalid', lines.join('; '), {
      place: dir,
      details: { mistakes: mistakes.length, first: mistakes[0]?.code ?? null },
    });
    this.mistakes = mistakes;
  }
}
