import type { SupportTopic } from './support-topic.ts';

/** Billing, refunds, and plans. */
export const moneyTopics: readonly SupportTopic[] = [
  {
    name: 'billing',
    titles: [
      'Question about invoice {invoice}',
      'Charged twice in {month}',
      'Wrong tariff on my bill',
      'Invoice address',
      'Bill much higher than usual',
    ],
    openings: {
      negative: [
        'I was charged twice for {month}. This is the second time and I am really annoyed.',
        'My bill is €{amount} higher than last month and nobody can tell me why. That is unacceptable.',
        'Invoice {invoice} is wrong again. I am tired of correcting your mistakes.',
        'You took €{amount} from my account without any notice. What a terrible way to treat customers.',
        'I have been waiting for a corrected invoice for three weeks. This is ridiculous.',
        'Your billing page is a confusing mess and I hate having to use it.',
      ],
      neutral: [
        'Hi, could you tell me what the item "grid fee adjustment" on invoice {invoice} is?',
        'Where can I download the invoices of last year?',
        'I need invoice {invoice} with our new company address.',
        'Is it possible to pay quarterly instead of monthly?',
        'Which tariff is site {site} on at the moment?',
        'Our accountant asks for the VAT number on the invoice of {month}.',
      ],
      positive: [
        'Hello! The new invoice layout is great, I just have one small question about {invoice}.',
        'Thanks for the quick refund last week. Now I would like to switch to yearly payment.',
        'I love that the bill finally shows each site on its own. Can I get it as a spreadsheet too?',
      ],
    },
    questions: [
      'I am happy to look into that. Which invoice number is it about?',
      'Could you tell me the month and the site it concerns?',
      'Let me check. Is the amount on the bank statement the same as on the invoice?',
      'Of course. Which e-mail address is the account registered with?',
    ],
    details: [
      'It is {invoice}, from {month}.',
      'The one for site {site}, €{amount} in total.',
      'The bank statement says €{amount}, the invoice says something else.',
      'The address is the same as always, the account is under my name.',
      'It is about {month}, all sites together.',
      'I only have the PDF here, number {invoice}.',
    ],
    solutions: [
      'I see it now: the reading of {month} was estimated and corrected later, which booked the difference twice. I have cancelled the second booking of €{amount}.',
      'The tariff changed on the first of {month}, so the old price was used for part of the period. A corrected invoice is on its way.',
      'The item covers the network operator’s yearly adjustment. It is passed on without a margin and appears once a year.',
      'I have changed the billing address and issued invoice {invoice} again. You will find it under Billing, Documents.',
      'You can switch the payment period under Billing, Settings. It takes effect with the next invoice.',
    ],
    followUps: [
      ['When will the money be back on my account?', 'Usually within three working days, depending on the bank.'],
      [
        'Will this happen again next month?',
        'No, the reading is confirmed now and estimates are switched off for the site.',
      ],
      ['Can I get a confirmation in writing?', 'Yes, a confirmation has just been sent to your e-mail address.'],
      ['Do the other sites have the same problem?', 'I have checked all of them; only site {site} was affected.'],
      ['And where do I see the old invoices?', 'Under Billing, Documents, there is a filter for the year at the top.'],
    ],
    closings: {
      negative: [
        'Fine, but I should not have to chase you for my own money.',
        'This has cost me hours. Very disappointing.',
        'I still do not understand the bill and I am not satisfied with that answer.',
        'If it happens again I will cancel the contract.',
      ],
      neutral: [
        'OK, I will check the statement on {weekday}.',
        'Understood. I will pass it on to our accountant.',
        'Alright, that answers it.',
        'I see. I will wait for the corrected invoice then.',
      ],
      positive: [
        'Perfect, thank you so much for the fast help!',
        'That was quick and clear, great service.',
        'Wonderful, the corrected invoice is already there. Thanks!',
        'Thanks a lot, I really appreciate it.',
      ],
    },
  },
  {
    name: 'refunds',
    titles: ['Refund not received', 'Refund for {month}', 'Credit note {invoice}', 'Money back for the outage'],
    openings: {
      negative: [
        'Where is my refund? You promised it two weeks ago and I have received nothing.',
        'I returned the gateway in {month} and you still keep my €{amount}. This is awful.',
        'Your refund form rejects my bank account every single time. So frustrating!',
        'I feel cheated. The credit note is €{amount} less than what was agreed.',
      ],
      neutral: [
        'I would like to ask about the state of my refund of €{amount}.',
        'How do I claim the compensation for the outage on {weekday}?',
        'Please send the refund to the company account instead of mine.',
        'Does credit note {invoice} get paid out or offset against the next bill?',
      ],
      positive: [
        'Thanks for approving the refund so quickly! Just one question about the date.',
        'Good news, the credit note arrived. Could you tell me when it will be paid out?',
      ],
    },
    questions: [
      'I am sorry for the wait. Do you have the number of the credit note?',
      'Let me find it. Was the refund approved by e-mail or in the portal?',
      'Which account should the money go to? The last four digits are enough.',
    ],
    details: [
      'The credit note is {invoice}.',
      'It was approved by e-mail on {weekday}.',
      'The last four digits are {digits}.',
      'I only have the case number, {invoice}.',
      'In the portal it says "approved" since {month}.',
    ],
    solutions: [
      'The transfer of €{amount} was rejected by the bank because of an old account number. I have started it again with the new one.',
      'The refund is approved and goes out with tonight’s payment run.',
      'The credit note is offset against the next invoice by default. I have changed it to a payout.',
      'You are entitled to compensation for the outage. I have added €{amount} to your account.',
    ],
    followUps: [
      ['How long does the transfer take?', 'One to three working days within the country.'],
      [
        'Why did nobody tell me that it was rejected?',
        'A notice should have been sent. I have reported that it was not.',
      ],
      ['Can you pay it out today?', 'The payment run starts at 18:00, so it leaves us today.'],
    ],
    closings: {
      negative: [
        'I will believe it when the money is there.',
        'That took far too long. I am really disappointed.',
        'What a waste of time for €{amount}.',
      ],
      neutral: [
        'OK, I will look on {weekday}.',
        'Good to know. I will wait for the transfer.',
        'Then please leave it as it is.',
      ],
      positive: [
        'Excellent, thank you for sorting this out!',
        'Great, you have been very helpful.',
        'Thank you, that is more than I expected!',
      ],
    },
  },
  {
    name: 'plans',
    titles: ['Changing to the business plan', 'Seats in our plan', 'Trial extension', 'What is included'],
    openings: {
      negative: [
        'The price increase is outrageous. Why should I pay more for the same thing?',
        'You removed the export from our plan without a word. I am furious.',
        'I cannot believe that an extra seat costs €{amount} now. Bad joke.',
      ],
      neutral: [
        'How many seats are included in the business plan?',
        'We would like to add {count} people to our account. What would that cost?',
        'Can a trial be extended by two weeks?',
        'What is the difference between the two larger plans?',
        'Is there a plan for schools and charities?',
      ],
      positive: [
        'We are enjoying the trial a lot and would like to extend it a little.',
        'The team loves the product, so we want {count} more seats.',
        'Your business plan looks excellent. What do we have to do to switch?',
      ],
    },
    questions: [
      'Thank you for asking. How many people will use it?',
      'May I ask how many sites you manage?',
      'When would you like the change to start?',
    ],
    details: [
      'We are {count} people and two sites.',
      'About {count} people, most of them only read.',
      'From the first of next month, please.',
      'Only {site} for now, more next year.',
    ],
    solutions: [
      'The business plan includes 25 seats, exports and single sign-on. Reading only needs no seat.',
      'I have extended the trial by 14 days. Nothing else changes.',
      'Added: {count} seats from the first of next month. The price per seat stays the same until your contract ends.',
      'Existing contracts keep the export for another year. I have switched it back on for you.',
    ],
    followUps: [
      ['Can we go back to the smaller plan later?', 'Yes, at the end of each month.'],
      ['Do guests need a seat?', 'No, guests and read-only users are free.'],
      ['Is there a discount for paying yearly?', 'Yes, ten percent, shown when you change the payment period.'],
    ],
    closings: {
      negative: [
        'Still too expensive. We are looking at other providers.',
        'I am not happy with that at all.',
        'So loyal customers pay the most. Sad.',
      ],
      neutral: [
        'I will discuss it with the team.',
        'OK, please send me an offer.',
        'Understood, we will decide in {month}.',
      ],
      positive: [
        'Fantastic, the team will be happy!',
        'That is a very fair offer, thank you.',
        'Great, thanks for the extra time!',
      ],
    },
  },
];
