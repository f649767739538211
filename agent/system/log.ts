// The log: pino, synchronous, to stdout. Under systemd one readable line with a priority; JSON on request.
import { destination, pino, type Logger } from 'pino';
import { formatJournalLine, formatTerminalLine, type Level } from './log-line.ts';
import type { Log, LogFields } from './ports.ts';
import { redactFields, redactText } from './redact.ts';

export type LogFormat = 'json' | 'journal' | 'terminal';

/** LOG_FORMAT=json wins; JOURNAL_STREAM is set by systemd when stdout goes to the journal (systemd.exec(5)). */
export function logFormat(environment: NodeJS.ProcessEnv): LogFormat {
  if (environment.LOG_FORMAT === 'json') return 'json';
  return environment.JOURNAL_STREAM === undefined ? 'terminal' : 'journal';
}

export interface LogOptions {
  readonly level?: Level;
  readonly format?: LogFormat;
  /** Takes one line with its LF; stdout when absent. */
  readonly write?: (line: string) => void;
}

/** Synchronous: a line written before a crash is a line in the journal. */
function stdoutWriter(): (line: string) => void {
  const stdout = destination({ fd: 1, sync: true });
  // A reader that went away (journald restarts, `| head`) must not end the daemon.
  stdout.on('error', () => undefined);
  return (line) => void stdout.write(line);
}

type PinoRecord = { level: Level; time: string; msg?: string } & Record<string, string | number | boolean | null>;

function toReadable(line: string, format: 'journal' | 'terminal'): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as PinoRecord;
  const readable =
    format === 'journal'
      ? formatJournalLine(level, msg ?? '', fields)
      : formatTerminalLine(time, level, msg ?? '', fields);
  return `${readable}\n`;
}

/** Field names that pino itself writes; a caller's field of that name gets an underscore, so that nothing is forged. */
const OWN_FIELDS = new Set(['level', 'time', 'msg']);

function safeFields(fields: LogFields): Record<string, string | number | boolean | null> {
  return Object.fromEntries(
    Object.entries(redactFields(fields)).map(([key, value]) => [OWN_FIELDS.has(key) ? `${key}_` : key, value]),
  );
}

function wrap(base: Logger, bound: LogFields, setLevel: Log['setLevel']): Log {
  const emit = (level: Level, phrase: string, fields: LogFields = {}): void => {
    if (base.isLevelEnabled(level)) base[level](safeFields({ ...bound, ...fields }), redactText(phrase));
  };
  return {
    debug: (phrase, fields) => emit('debug', phrase, fields),
    info: (phrase, fields) => emit('info', phrase, fields),
    warn: (phrase, fields) => emit('warn', phrase, fields),
    error: (phrase, fields) => emit('error', phrase, fields),
    child: (fields) => wrap(base, { ...bound, ...fields }, setLevel),
    setLevel,
  };
}

/** Every field passes the redaction list; `setLevel` holds for the log and all its children. */
export function createLog(options: LogOptions = {}): Log {
  const format = options.format ?? logFormat(process.env);
  const write = options.write ?? stdoutWriter();
  const base = pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => write(format === 'json' ? line : toReadable(line, format)) },
  );
  return wrap(base, {}, (level) => {
    base.level = level;
  });
}
