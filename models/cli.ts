/** Trains, evaluates, quantizes and lists the models: npm run models -- help. */
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { evaluateModel, type ModelName, modelNames, trainModel } from './commands.ts';
import { listModels } from './training/artifact.ts';
import { DataError } from './training/data-files.ts';
import type { VariantPrecision } from './training/quantize.ts';
import { formatNumber } from './training/targets.ts';
import { formatTable } from './training/terminal.ts';
import { variantPrecisions } from './training/variants.ts';
import { printVariants, quantizeModel } from './variant-commands.ts';

const modelsDirectory = import.meta.dirname;
const dataHelp =
  'folder of the public data sets, with a folder for each (goemotions, rt-polarity, vic-elec, etth1, banking77)';
const examples = `
Examples:
  $ npm run models -- train sentiment --data path/to/data
  $ npm run models -- evaluate --data path/to/data
  $ npm run models -- evaluate energy-forecast --step 30 --data path/to/data
  $ npm run models -- quantize sentiment/1 --precision int8`;

function createProgram(): Command {
  const program = new Command('models')
    .description('Trains, evaluates, quantizes and lists the models')
    .addHelpText('after', examples);
  program.showHelpAfterError('(see --help)');
  program
    .command('train')
    .description('train a model and write it, with its test figures, to models/<name>/1')
    .argument('<model>', modelNames.join(', '), toModelName)
    .requiredOption('--data <folder>', dataHelp)
    .option('--out <folder>', 'where to write model.onnx and manifest.json')
    .option('--seed <number>', 'seed of all random numbers', toSeed, 1)
    .option('--step <minutes>', 'energy-forecast: 60, or 30 to compare with published figures', toStep, 60)
    .option('--without-reviews', 'sentiment: do not train on movie reviews')
    .action((model: ModelName, options) => trainModel(model, { ...options, modelsDirectory }));
  program
    .command('evaluate')
    .description('print metric, target and measured value of the trained models, and precision variants beside them')
    .argument('[model]', `${modelNames.join(', ')}; all if not given`, toModelName)
    .option('--data <folder>', `${dataHelp}; without it, only size and speed of the variants`)
    .option('--step <minutes>', 'energy-forecast: 30 trains and evaluates a half-hourly one', toStep, 60)
    .action(async (model: ModelName | undefined, options) => {
      for (const name of model === undefined ? modelNames : [model]) {
        if (options.data !== undefined) await evaluateModel(name, { ...options, modelsDirectory });
        await printVariants(join(modelsDirectory, name, '1'), options.data);
      }
    });
  program
    .command('quantize')
    .description('write smaller versions beside one of precision FP32, such as models/sentiment/1-int8')
    .argument('<name/version>', 'such as sentiment/1', toVersion)
    .option('--precision <precision>', 'int8 or fp16; both if not given', toPrecision)
    .action((version: string, options) => quantizeModel(version, { ...options, modelsDirectory }));
  program.command('list').description('list the trained models').action(printModels);
  return program;
}

function printModels(): void {
  const rows = listModels(modelsDirectory).map(({ manifest, bytes }) => {
    const { name, version, task, precision, metrics, sha256 } = manifest;
    const [main] = Object.entries(metrics);
    const figure = main === undefined ? '' : `${main[0]} ${formatNumber(main[1])}`;
    return [join(name, version), task, precision, `${(bytes / 1e6).toFixed(2)} MB`, figure, sha256.slice(0, 12)];
  });
  console.log(formatTable(['model', 'task', 'precision', 'size', 'main figure', 'sha256'], rows));
}

function toModelName(text: string): ModelName {
  const name = modelNames.find((known) => known === text);
  if (name === undefined) throw new InvalidArgumentError(`expected ${modelNames.join(', ')}.`);
  return name;
}

function toVersion(text: string): string {
  if (!/^[a-z0-9-]+\/[a-z0-9.-]+$/.test(text)) throw new InvalidArgumentError('expected name/version, as sentiment/1.');
  return text;
}

function toPrecision(text: string): VariantPrecision {
  const precision = variantPrecisions.find((known) => known.toLowerCase() === text.toLowerCase());
  if (precision === undefined) throw new InvalidArgumentError('expected int8 or fp16.');
  return precision;
}

function toStep(text: string): number {
  if (text !== '60' && text !== '30') throw new InvalidArgumentError('expected 60 or 30.');
  return Number(text);
}

function toSeed(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number of up to 9 digits.');
  return Number(text);
}

try {
  await createProgram().parseAsync();
} catch (error) {
  if (!(error instanceof DataError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
