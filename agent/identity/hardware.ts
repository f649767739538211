// What identifies this machine to the people who set it up: serial number and network cards. Sent once, in the claim.
import { networkInterfaces } from 'node:os';
import { isAgentError } from '../errors/agent-error.ts';
import { readFileLimited } from '../system/files.ts';

export interface Hardware {
  readonly serial: string | null;
  readonly macs: string[];
}

const SERIAL_FILE = '/sys/class/dmi/id/product_serial';
const MAX_SERIAL_BYTES = 256;
/** The claim's schema holds no more. */
const MAX_MACS = 16;
const NO_MAC = '00:00:00:00:00:00';

/** The serial is null where only root may read it, or where there is no firmware table. */
export function readHardware(): Hardware {
  const macs = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => !address.internal && address.mac !== NO_MAC)
    .map((address) => address.mac.toLowerCase());
  return { serial: readSerial(), macs: [...new Set(macs)].toSorted().slice(0, MAX_MACS) };
}

function readSerial(): string | null {
  try {
    const text = readFileLimited(SERIAL_FILE, MAX_SERIAL_BYTES).toString('latin1').trim();
    return /^[\x21-\x7e][\x20-\x7e]{0,63}$/.test(text) ? text : null;
  } catch (error) {
    if (isAgentError(error)) return null;
    throw error;
  }
}
