#!/usr/bin/env node
// `central-command`: the reference Central Command and its command line.
import { runProgram } from './cli/program.ts';

process.exitCode = await runProgram(process.argv.slice(2));
