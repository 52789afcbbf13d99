"""Internal consistency, seen from outside: no reader and no subscriber ever sees half of a transaction.

    bank: accounts, owners, cards, movements, and views over them ◀── tellers: random transactions, each all or nothing
                     ├──▶ watchers: a subscription each, every epoch's contents checked
                     └──▶ auditors: SELECTs over several views at once, and several SELECTs in one transaction

Every transaction keeps what the views say true (the sum of all balances, an
account's card, the books and the accounts agreeing), so every epoch must, too.
"""
