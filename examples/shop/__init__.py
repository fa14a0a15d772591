"""A shop with one table and five kinds of documents. docs/tutorial.md explains it step by step."""

ROUTES = [
    "routes:Customers",
    "routes:Orders",
    "routes:CustomerOrders",
    "routes:Products",
    "routes:Reviews",
    "routes:Chunks",
]
