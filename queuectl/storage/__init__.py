"""The queue's database: the only door to SQL.

Peewee holds the connection and the models that the screens query; what is hot is named SQL through
`Database.rows`, since the query builder costs ten times the statement.
"""
