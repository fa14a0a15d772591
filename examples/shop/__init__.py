"""A shop with one table and four kinds of documents. docs/tutorial.md explains it step by step."""

ROUTES = [
    "routes:Customers",
    "routes:Orders",
    "routes:CustomerOrders",
    "routes:Products",
    "routes:Reviews",
]
