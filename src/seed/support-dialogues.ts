/** Conversations of customers with the support assistant, put together from the sentences of the support topics. */
import type { Message } from '../domains/conversations/tables.ts';
import type { Mood, SupportTopic } from './corpus/support-topic.ts';
import { accessTopics } from './corpus/support-topics-access.ts';
import { energyTopics } from './corpus/support-topics-energy.ts';
import { moneyTopics } from './corpus/support-topics-money.ts';
import type { Random } from './random.ts';

export interface DialogueLine {
  role: Message['role'];
  content: string;
  /** Since the line before, or since the conversation was opened. */
  gapMs: number;
}

export interface Dialogue {
  title: string;
  lines: DialogueLine[];
}

/** How often customers of a time write about what, and how they feel. */
export interface Climate {
  moods: Record<Mood, number>;
  /** Weight of the outage topic, where each other topic has 1. */
  outageWeight: number;
}

export const supportTopics: readonly SupportTopic[] = [...moneyTopics, ...accessTopics, ...energyTopics];
export const moods = ['negative', 'neutral', 'positive'] as const satisfies readonly Mood[];

const sites = [
  'Harbour district',
  'Nordring',
  'the Hudson campus',
  'the east depot',
  'building 7',
  'the cold store',
  'the pumping station',
];
const devices = ['iPhone', 'Android phone', 'tablet', 'laptop', 'work phone'];
const months = 'January February March April May June July August September October November December'.split(' ');
const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const farewells = [
  'Is there anything else I can do for you?',
  'You are welcome. Have a good day!',
  'Glad to help. I will close this conversation now.',
  'Thank you for your patience. Just write again if anything is unclear.',
  'Understood. I have added a note for my colleagues.',
];
// What people say to a solution before they go on.
const reactions: Record<Mood, readonly string[]> = {
  negative: [
    'That is not what I asked for.',
    'I have tried that already, it does not help!',
    'This is so annoying.',
    'Why is this always so complicated? I hate it.',
    'I am really unhappy with this.',
    'That is the same useless answer as last time.',
    'Sorry, but that is just bad service.',
    'It makes me angry that I have to ask at all.',
  ],
  neutral: [
    'OK.',
    'I see.',
    'Let me try that.',
    'One moment, please.',
    'I have done that now.',
    'It is on the screen now.',
  ],
  positive: [
    'Oh great, that worked right away!',
    'Ah, thanks, that makes sense.',
    'Perfect, I like that.',
    'Nice, thank you!',
    'You are awesome, thanks.',
    'That is good to know, thank you.',
  ],
};
const reassurances = [
  'Thank you for telling me. I will stay with you until it is settled.',
  'Let us go through it once more together.',
  'I have noted that.',
  'Good. Then there is one more thing to check.',
];
const handovers = [
  'Priya from billing has joined the conversation.',
  'The conversation was handed over to the technical team.',
  'Marcus from customer care has joined the conversation.',
];

/** How customers feel at a share of the year (0 is a year ago, 1 is now): two outages, a price increase, and better months since. */
export function climateAt(shareOfYear: number): Climate {
  const bump = (center: number, width: number) => Math.exp(-(((shareOfYear - center) / width) ** 2));
  const outage = bump(0.36, 0.022) + 0.6 * bump(0.41, 0.015);
  const priceIncrease = bump(0.67, 0.04);
  const recovery = Math.max(0, shareOfYear - 0.72) / 0.28;
  return {
    moods: {
      negative: 0.27 + 0.5 * outage + 0.25 * priceIncrease - 0.13 * recovery,
      neutral: 0.42,
      positive: 0.31 - 0.15 * outage - 0.1 * priceIncrease + 0.14 * recovery,
    },
    outageWeight: 0.8 + 9 * outage,
  };
}

/** A dialogue of a mood, of 2 lines or more. */
export function writeDialogue(random: Random, mood: Mood, outageWeight = 1): Dialogue {
  const topic = pickTopic(random, mood, outageWeight);
  const fill = createFiller(random);
  const lines: DialogueLine[] = [];
  const user = (text: string) => lines.push(lineOf(random, 'USER', fill(text)));
  const assistant = (text: string) => lines.push(lineOf(random, 'ASSISTANT', fill(text)));
  user(random.pick(topic.openings[mood]));
  if (random.chance(0.8)) {
    assistant(random.pick(topic.questions));
    user(random.pick(topic.details));
  }
  if (mood === 'negative' && random.chance(0.25)) lines.push(lineOf(random, 'SYSTEM', random.pick(handovers)));
  assistant(random.pick(topic.solutions));
  if (random.chance(0.5)) {
    user(random.pick(reactions[random.chance(0.75) ? mood : endMood(random, mood)]));
    assistant(random.pick(reassurances));
  }
  for (const [question, answer] of random.shuffled(topic.followUps).slice(0, random.integer(0, 3))) {
    user(question);
    assistant(answer);
  }
  if (random.chance(0.85)) {
    user(random.pick(topic.closings[endMood(random, mood)]));
    if (random.chance(0.7)) assistant(random.pick(farewells));
  }
  return { title: fill(random.pick(topic.titles)), lines };
}

/** Most topics fit any mood; praise is for the happy. */
function pickTopic(random: Random, mood: Mood, outageWeight: number): SupportTopic {
  const praiseWeight = { negative: 0.05, neutral: 0.2, positive: 2 }[mood];
  const weights = supportTopics.map(({ name }): [string, number] => {
    return [name, name === 'outage' ? outageWeight : name === 'praise' ? praiseWeight : 1];
  });
  const name = random.weighted(Object.fromEntries(weights));
  return supportTopics.find((topic) => topic.name === name)!;
}

/** Help changes how people feel, more often for the better. */
function endMood(random: Random, mood: Mood): Mood {
  if (mood === 'negative') return random.weighted({ negative: 40, neutral: 35, positive: 25 });
  if (mood === 'neutral') return random.weighted({ negative: 7, neutral: 50, positive: 43 });
  return random.weighted({ negative: 2, neutral: 18, positive: 80 });
}

/** Words of one conversation: it stays about the same invoice, site and device. */
function createFiller(random: Random): (text: string) => string {
  const amount = `${random.integer(9, 480)}${random.chance(0.5) ? '' : `.${random.pick(['50', '20', '95'])}`}`;
  const words: Record<string, string> = {
    amount,
    invoice: `${random.integer(2, 9)}0${random.integer(100, 999)}`,
    month: random.pick(months),
    weekday: random.pick(weekdays),
    site: random.pick(sites),
    device: random.pick(devices),
    digits: String(random.integer(1000, 9999)),
    count: String(random.integer(3, 40)),
    percent: String(random.integer(4, 19)),
  };
  return (text) => text.replace(/\{(\w+)\}/g, (_, name: string) => words[name]!);
}

const medianSeconds: Record<Message['role'], number> = { USER: 75, ASSISTANT: 4, SYSTEM: 20 };

/** People take a minute or so, the assistant some seconds; whole milliseconds, at least one. */
function lineOf(random: Random, role: Message['role'], content: string): DialogueLine {
  return { role, content, gapMs: Math.max(1, Math.round(1000 * medianSeconds[role] * Math.exp(0.7 * random.gauss()))) };
}
