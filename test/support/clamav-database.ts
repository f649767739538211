// A database file as ClamAV keeps them: the header of a real one with another time of building.
import { fixture } from './fixture-facts.ts';

const two = (value: number): string => String(value).padStart(2, '0');
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** `07 Mar 2017 08-02 +0000` */
function spelled(at: Date): string {
  const day = `${two(at.getUTCDate())} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
  return `${day} ${two(at.getUTCHours())}-${two(at.getUTCMinutes())} +0000`;
}

/** The header of 512 bytes, and something behind it. */
export function databaseFile(builtAtMs: number): Buffer {
  const fields = fixture('clamav/daily-23182.header').trimEnd().split(':');
  fields[1] = spelled(new Date(builtAtMs));
  fields[8] = String(Math.floor(builtAtMs / 1000));
  return Buffer.concat([Buffer.from(fields.join(':').padEnd(512, ' ')), Buffer.from('compressed archive')]);
}
