# An OpenSearch domain in your VPC, or a serverless collection behind a VPC endpoint.

locals {
  domain     = var.kind == "domain" ? { this = local.prefix } : {}
  collection = var.kind == "serverless" ? { this = local.prefix } : {}
  everyone   = "arn:${local.partition}:iam::${local.account}:root"
  principals = coalescelist(var.principals, ["arn:${local.partition}:iam::${local.account}:role/${local.prefix}"])
}

resource "aws_security_group" "this" {
  name        = "${local.prefix}-search"
  description = "HTTPS to the search server of ${local.prefix}"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each                     = var.client_security_group_ids
  security_group_id            = aws_security_group.this.id
  description                  = "HTTPS from clients"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = each.value
}

resource "aws_cloudwatch_log_group" "this" {
  for_each          = local.domain
  name              = "/aws/OpenSearchService/domains/${local.prefix}"
  retention_in_days = var.log_retention
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_resource_policy" "this" {
  for_each    = aws_cloudwatch_log_group.this
  policy_name = "${local.prefix}-search"

  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "es.amazonaws.com" }
      Action    = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource  = "${each.value.arn}:*"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_opensearch_domain" "this" {
  for_each       = local.domain
  domain_name    = each.value
  engine_version = var.engine_version
  depends_on     = [aws_cloudwatch_log_resource_policy.this]

  cluster_config {
    instance_type            = var.instance_type
    instance_count           = var.instance_count
    dedicated_master_enabled = var.instance_count > 2
    dedicated_master_count   = var.instance_count > 2 ? 3 : null
    dedicated_master_type    = var.instance_count > 2 ? var.master_type : null
    zone_awareness_enabled   = var.instance_count > 1

    dynamic "zone_awareness_config" {
      for_each = var.instance_count > 1 ? [min(var.instance_count, length(var.subnet_ids), 3)] : []

      content {
        availability_zone_count = zone_awareness_config.value
      }
    }
  }

  ebs_options {
    ebs_enabled = true
    volume_type = "gp3"
    volume_size = var.volume_size
  }

  encrypt_at_rest {
    enabled    = true
    kms_key_id = var.kms_key_arn
  }

  node_to_node_encryption {
    enabled = true
  }

  domain_endpoint_options {
    enforce_https       = true
    tls_security_policy = "Policy-Min-TLS-1-2-PFS-2023-10"
  }

  # Fine-grained access control through IAM alone, without passwords.
  advanced_security_options {
    enabled                        = true
    internal_user_database_enabled = false

    master_user_options {
      master_user_arn = var.administrator_arn
    }
  }

  vpc_options {
    subnet_ids         = slice(var.subnet_ids, 0, min(var.instance_count, length(var.subnet_ids), 3))
    security_group_ids = [aws_security_group.this.id]
  }

  log_publishing_options {
    log_type                 = "ES_APPLICATION_LOGS"
    cloudwatch_log_group_arn = aws_cloudwatch_log_group.this[each.key].arn
  }

  # Delegates access to the IAM policies of the account. The generated policies allow single methods and paths.
  access_policies = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "AsIamSays"
      Effect    = "Allow"
      Principal = { AWS = local.everyone }
      Action    = "es:ESHttp*"
      Resource  = "arn:${local.partition}:es:${var.region}:${local.account}:domain/${each.value}/*"
    }]
  })

  lifecycle {
    precondition {
      condition     = var.administrator_arn != null
      error_message = "A domain needs administrator_arn: the ARN of the role or user that maps roles in its fine-grained access control."
    }
  }
}

resource "aws_opensearchserverless_security_policy" "encryption" {
  for_each = local.collection
  name     = each.value
  type     = "encryption"

  policy = jsonencode(merge(
    { Rules = [{ ResourceType = "collection", Resource = ["collection/${each.value}"] }] },
    var.kms_key_arn == null ? { AWSOwnedKey = true } : { KmsARN = var.kms_key_arn },
  ))
}

resource "aws_opensearchserverless_vpc_endpoint" "this" {
  for_each           = local.collection
  name               = each.value
  vpc_id             = var.vpc_id
  subnet_ids         = var.subnet_ids
  security_group_ids = [aws_security_group.this.id]
}

resource "aws_opensearchserverless_security_policy" "network" {
  for_each = local.collection
  name     = each.value
  type     = "network"

  policy = jsonencode([{
    Rules           = [{ ResourceType = "collection", Resource = ["collection/${each.value}"] }]
    AllowFromPublic = false
    SourceVPCEs     = [aws_opensearchserverless_vpc_endpoint.this[each.key].id]
  }])
}

resource "aws_opensearchserverless_access_policy" "this" {
  for_each = local.collection
  name     = each.value
  type     = "data"

  policy = jsonencode([{
    Principal = local.principals

    Rules = [
      {
        ResourceType = "index"
        Resource     = ["index/${each.value}/*"]
        Permission   = ["aoss:CreateIndex", "aoss:DescribeIndex", "aoss:ReadDocument", "aoss:UpdateIndex", "aoss:WriteDocument"]
      },
      {
        # Aliases, templates and pipelines.
        ResourceType = "collection"
        Resource     = ["collection/${each.value}"]
        Permission   = ["aoss:CreateCollectionItems", "aoss:DescribeCollectionItems", "aoss:UpdateCollectionItems"]
      },
    ]
  }])
}

# The type must be SEARCH, because time series and vector search collections accept no document ids.
resource "aws_opensearchserverless_collection" "this" {
  for_each         = local.collection
  name             = each.value
  type             = "SEARCH"
  standby_replicas = var.standby_replicas ? "ENABLED" : "DISABLED"
  depends_on       = [aws_opensearchserverless_security_policy.encryption, aws_opensearchserverless_security_policy.network]
}
