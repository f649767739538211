// Reads what ClamAV keeps in files: the header of its databases and the exclusions of its configuration. Pure.

/** The header's size; what follows is a compressed archive (docs.clamav.net, "Database Info: CVD format"). */
export const DATABASE_HEADER_BYTES = 512;

export interface DatabaseHeader {
  /** When the database was built, Unix seconds. */
  readonly builtAt: number;
  readonly version: number;
  readonly signatures: number;
}

const FIELDS = 9;
const [TIME, VERSION, SIGNATURES, SECONDS] = [1, 2, 3, 8];
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
/** A database is built once; its two times may differ by the seconds that the text leaves out. */
const MAX_DIFFERENCE_S = 60;

/** `07 Mar 2017 08-02 -0500` */
function builtAt(text: string): number | null {
  const match = /^(\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2})-(\d{2}) ([+-])(\d{2})(\d{2})$/.exec(text);
  if (match === null) return null;
  const [day, month, year, hour, minute] = [match[1], match[2], match[3], match[4], match[5]];
  const monthIndex = MONTHS.indexOf(month ?? '');
  if (monthIndex < 0) return null;
  const offset = (Number(match[7]) * 60 + Number(match[8])) * (match[6] === '-' ? -1 : 1);
  return Date.UTC(Number(year), monthIndex, Number(day), Number(hour), Number(minute) - offset) / 1000;
}

/**
 * `ClamAV-VDB:build time:version:signatures:functionality level:MD5:signature:builder:build time in seconds`, padded with
 * spaces. Null where the text is no such header, or where its two times contradict each other.
 */
export function parseDatabaseHeader(bytes: Uint8Array): DatabaseHeader | null {
  if (bytes.length < DATABASE_HEADER_BYTES) return null;
  const text = Buffer.from(bytes.subarray(0, DATABASE_HEADER_BYTES))
    .toString('latin1')
    .replace(/[ \0\n]+$/, '');
  const fields = text.split(':');
  const [version = '', signatures = '', seconds = ''] = [fields[VERSION], fields[SIGNATURES], fields[SECONDS]];
  if (fields.length !== FIELDS || fields[0] !== 'ClamAV-VDB') return null;
  if (![version, signatures, seconds].every((digits) => /^\d{1,12}$/.test(digits))) return null;
  const said = builtAt(fields[TIME] ?? '');
  if (said === null || Math.abs(said - Number(seconds)) > MAX_DIFFERENCE_S) return null;
  return { builtAt: Number(seconds), version: Number(version), signatures: Number(signatures) };
}

/** Options of clamd.conf(5) that keep something from being scanned. */
const EXCLUDING =
  /^(?:ExcludePath|OnAccessExcludePath|OnAccessExcludeUname|OnAccessExcludeUID|OnAccessExcludeRootUID)$/i;

/** The excluding lines, one space between option and value, each once, sorted. */
export function exclusionsOf(config: string): string[] {
  const lines = config.split('\n').flatMap((line) => {
    const match = /^\s*([A-Za-z]+)\s+(.*\S)\s*$/.exec(line);
    const [option = '', value = ''] = [match?.[1], match?.[2]];
    if (!EXCLUDING.test(option) || (/^OnAccessExcludeRootUID$/i.test(option) && /^(?:no|false|0)$/i.test(value)))
      return [];
    return [`${option} ${value}`];
  });
  return [...new Set(lines)].sort();
}
