#!/usr/bin/env node
import { catalogue } from '../../plugins/index.js';
import { runCli } from './program.js';

// The entry point: the one place that knows both the kernel and the plugins that ship with it.
process.exitCode = await runCli(process.argv, catalogue);
