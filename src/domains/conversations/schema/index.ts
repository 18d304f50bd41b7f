import './conversation.ts';
import './message.ts';
import './mutations.ts';
