import { requireViewer } from '../../../context.ts';
import { builder } from '../../../schema/builder.ts';
import { paragraphs, parseInput } from '../../../schema/input.ts';
import { sentimentByText } from '../loaders.ts';
import type { Sentiment } from '../score-texts.ts';
import { ModelVersionRef } from './models.ts';

export const SentimentLabel = builder.enumType('SentimentLabel', {
  description: 'How a text sounds.',
  values: {
    NEGATIVE: { description: 'Unhappy.' },
    NEUTRAL: { description: 'Neither.' },
    POSITIVE: { description: 'Happy.' },
  },
});

export const SentimentRef = builder.objectRef<Sentiment>('Sentiment').implement({
  // It hangs on which versions are loaded and rolled out, of which no statement tells.
  cache: { maxAgeSeconds: 0 },
  description: 'What a model says of a text.',
  fields: (t) => ({
    label: t.expose('label', { type: SentimentLabel, description: 'The likeliest of the three.' }),
    score: t.exposeFloat('score', { description: 'The probability of positive, 0 to 1.' }),
    modelVersion: t.expose('modelVersion', { type: ModelVersionRef, description: 'What said so.' }),
  }),
});

builder.queryField('sentiment', (t) =>
  t.field({
    type: SentimentRef,
    scope: 'read',
    cost: 5,
    description: 'The sentiment of a text.',
    args: { text: t.arg.string({ required: true, description: '1 to 10,000 characters.' }) },
    resolve: (_root, { text }, context) => {
      requireViewer(context);
      return sentimentByText(context).load(parseInput(paragraphs(1, 10_000), text, 'text'));
    },
  }),
);
