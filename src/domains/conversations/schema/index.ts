import './conversation.ts';
import './document.ts';
import './message.ts';
import './mutations.ts';
