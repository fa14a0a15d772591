locals {
  urls = concat(
    [for domain in aws_opensearch_domain.this : "https://${domain.endpoint}"],
    [for collection in aws_opensearchserverless_collection.this : collection.collection_endpoint],
  )
}

output "settings" {
  description = "The settings of the service for this search server."

  value = {
    SEARCH_URL     = one(local.urls)
    SEARCH_AUTH    = "sigv4"
    SEARCH_SERVICE = var.kind == "domain" ? "es" : "aoss"
  }
}
