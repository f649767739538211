// Output of a Windows program as text. Pure.
import { AgentError } from '../errors/agent-error.ts';

/**
 * UTF-8, or UTF-16 where a byte order mark says so (Windows PowerShell writes it in some places); the mark is left out.
 * Throws `winrm_output_not_text` for anything else, zero bytes in UTF-8 included: they mean UTF-16 without a mark or binary.
 */
export function decodeOutput(bytes: Buffer): string {
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    throw notText(`the output is no ${encoding.toUpperCase()}`, error);
  }
  if (text.includes('\0')) throw notText('the output holds zero characters');
  return text;
}

function notText(sentence: string, cause?: unknown): AgentError {
  return new AgentError('winrm_output_not_text', sentence, cause === undefined ? {} : { cause });
}
