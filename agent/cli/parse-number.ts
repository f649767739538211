// Numbers on the command line.
import { AgentError } from '../errors/agent-error.ts';

/** A whole number from `min` to `max`. @throws usage */
export function wholeNumber(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new AgentError('usage', `${name} must be a whole number from ${min} to ${max}, not "${text}"`);
  };
}
