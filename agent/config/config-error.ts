// What is wrong with a configuration file: every problem at once, each with its code and place.
import { AgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';

export interface ConfigProblem {
  readonly code: Extract<ErrorCode, `config_${string}` | 'reseller_id_missing'>;
  /** `path:line:column`, 1-based; the path alone where no line can be named. */
  readonly place: string;
  readonly sentence: string;
  readonly remedy: string;
}

/** Thrown when a file was read but holds mistakes. `problems` is in the order of the file and never empty. */
export class ConfigError extends AgentError<'config_invalid'> {
  readonly problems: readonly ConfigProblem[];

  constructor(path: string, problems: readonly ConfigProblem[]) {
    const [first] = problems;
    const many = problems.length > 1;
    super('config_invalid', many ? `${problems.length} mistakes in the configuration` : (first?.sentence ?? ''), {
      place: many ? path : (first?.place ?? path),
      ...(many || first === undefined ? {} : { remedy: first.remedy }),
      details: { problems: problems.length },
    });
    this.problems = problems;
  }

  /** One line per problem, in the form of every other error. */
  override describe(): string {
    return this.problems.map((p) => `${p.code}: ${p.sentence} (at ${p.place}) — ${p.remedy}`).join('\n');
  }
}
