mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
}

variables {
  environment               = "test"
  region                    = "eu-west-1"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-1", "subnet-2"]
  administrator_arn         = "arn:aws:iam::111122223333:role/admin"
  client_security_group_ids = ["sg-1"]
}

run "a_domain_is_encrypted_everywhere" {
  command = plan

  assert {
    condition     = aws_opensearch_domain.this["this"].encrypt_at_rest[0].enabled && aws_opensearch_domain.this["this"].node_to_node_encryption[0].enabled
    error_message = "The domain is not encrypted."
  }

  assert {
    condition     = aws_opensearch_domain.this["this"].domain_endpoint_options[0].enforce_https && startswith(aws_opensearch_domain.this["this"].domain_endpoint_options[0].tls_security_policy, "Policy-Min-TLS-1-2")
    error_message = "The domain accepts connections without TLS 1.2."
  }
}

run "a_domain_is_reached_from_its_vpc_alone" {
  command = plan

  assert {
    condition     = aws_opensearch_domain.this["this"].vpc_options[0].subnet_ids == toset(["subnet-1"])
    error_message = "The domain is not in the private subnets."
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.this : [rule.referenced_security_group_id, rule.from_port]] == [["sg-1", 443]]
    error_message = "Other security groups can connect to the domain."
  }

  assert {
    condition     = jsondecode(aws_opensearch_domain.this["this"].access_policies).Statement[0].Principal == { AWS = "arn:aws:iam::111122223333:root" }
    error_message = "Principals of other accounts have access to the domain."
  }
}

run "a_domain_has_fine_grained_access_without_passwords" {
  command = plan

  assert {
    condition = (
      aws_opensearch_domain.this["this"].advanced_security_options[0].enabled &&
      !aws_opensearch_domain.this["this"].advanced_security_options[0].internal_user_database_enabled &&
      aws_opensearch_domain.this["this"].advanced_security_options[0].master_user_options[0].master_user_arn == var.administrator_arn
    )
    error_message = "The domain has no fine-grained access control, or has passwords."
  }

  assert {
    condition     = output.settings == { SEARCH_URL = "https://vpc-made.eu-west-1.es.amazonaws.com", SEARCH_AUTH = "sigv4", SEARCH_SERVICE = "es" }
    error_message = "The service gets wrong settings for the domain."
  }
}

run "a_domain_without_an_administrator_is_refused" {
  command = plan

  variables {
    administrator_arn = null
  }

  expect_failures = [aws_opensearch_domain.this]
}

run "a_collection_is_for_search_and_not_public" {
  command = plan

  variables {
    kind = "serverless"
  }

  assert {
    condition     = length(aws_opensearch_domain.this) == 0 && aws_opensearchserverless_collection.this["this"].type == "SEARCH"
    error_message = "Document ids need a collection of type SEARCH."
  }

  assert {
    condition = alltrue([
      for rule in jsondecode(aws_opensearchserverless_security_policy.network["this"].policy) :
      !rule.AllowFromPublic && rule.SourceVPCEs == [aws_opensearchserverless_vpc_endpoint.this["this"].id]
    ])
    error_message = "The collection is public."
  }

  assert {
    condition     = jsondecode(aws_opensearchserverless_security_policy.encryption["this"].policy).AWSOwnedKey
    error_message = "The collection is not encrypted."
  }

  assert {
    condition = (
      jsondecode(aws_opensearchserverless_access_policy.this["this"].policy)[0].Principal == ["arn:aws:iam::111122223333:role/streamdex-test"] &&
      [for rule in jsondecode(aws_opensearchserverless_access_policy.this["this"].policy)[0].Rules : rule.Resource] == [["index/streamdex-test/*"], ["collection/streamdex-test"]]
    )
    error_message = "Other roles can use the collection, or the function can use other collections."
  }

  assert {
    condition     = output.settings.SEARCH_SERVICE == "aoss" && output.settings.SEARCH_URL == "https://made.eu-west-1.aoss.amazonaws.com"
    error_message = "The service gets wrong settings for the collection."
  }
}
