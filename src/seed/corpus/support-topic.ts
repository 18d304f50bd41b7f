/** The shape of a topic that customers write to support about. Words in braces are filled in by support-dialogues.ts. */
export interface SupportTopic {
  name: string;
  titles: readonly string[];
  /** The customer's first message, by mood. */
  openings: Record<Mood, readonly string[]>;
  /** What the assistant asks, and what customers answer. */
  questions: readonly string[];
  details: readonly string[];
  /** What the assistant does or explains. */
  solutions: readonly string[];
  /** What customers ask next, and the answers in the same order. */
  followUps: readonly (readonly [question: string, answer: string])[];
  /** The customer's last word, by mood. */
  closings: Record<Mood, readonly string[]>;
}

export type Mood = 'negative' | 'neutral' | 'positive';
